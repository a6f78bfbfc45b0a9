"""A generated project, edited at random: stest in every mode against a cold `python -m pytest`."""
