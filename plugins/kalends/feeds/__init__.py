"""Merged ``.ics`` feeds: definitions, composition, versions on disk, publication and addresses."""
