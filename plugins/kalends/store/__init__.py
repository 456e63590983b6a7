"""The store: collections, calendar objects and the history of their changes, in SQL."""
