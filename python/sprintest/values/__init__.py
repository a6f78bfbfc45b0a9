"""The values of ``sprintest.warm``, held for the runs to come."""
