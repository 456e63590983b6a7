"""Whole stores from and to other servers' folders: what lies there, and its way in and out."""
