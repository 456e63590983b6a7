"""Composition of a feed from the calendar objects that it shows."""
