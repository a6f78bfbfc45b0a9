"""End-to-end tests: the real binaries, real pytest, a private daemon per test."""
