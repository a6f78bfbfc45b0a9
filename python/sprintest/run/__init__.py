"""One run of pytest: in a fork, ahead of its request, or in a process that stays."""
