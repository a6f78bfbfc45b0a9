"""The values of ``sprintest.warm``, held for later runs."""
