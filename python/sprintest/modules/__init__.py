"""The module cache: what was executed before a run, hidden until the run imports it."""
