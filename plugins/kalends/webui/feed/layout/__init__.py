"""Layouts of a feed's page: a month, the hours of days, an agenda."""
