"""Layouts of other servers' stores."""
