"""Radicale's plug-in interfaces on Kalends' own parts."""
