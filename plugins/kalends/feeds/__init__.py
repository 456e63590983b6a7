"""Merged ``.ics`` feeds: definitions, composition, cached versions, publication and access."""
