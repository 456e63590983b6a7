"""Composition of a feed from calendar objects."""
