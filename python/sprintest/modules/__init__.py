"""The module cache: modules that were executed before a run, and are hidden until the run imports them."""
