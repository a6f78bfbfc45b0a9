"""One run of pytest: in a fork, ahead of its request, or in the resident process."""
