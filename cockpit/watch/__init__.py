"""Directories that are watched, for all who wait for a change of a file: a plan, a lever, a theme."""
