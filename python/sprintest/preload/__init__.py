"""Importing installed packages ahead of all runs."""
