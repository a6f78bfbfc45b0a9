"""The Python half of stest, the warm test runner: what must run inside the interpreter.

Nothing here is an interface for tests: the worker (C++) drives these modules.
"""
