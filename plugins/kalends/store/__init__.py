"""Calendar objects in SQL: collections, their objects, and what has changed since when."""
