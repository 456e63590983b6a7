"""Recurrence: rules, their expansion, and the occurrences of an object."""
