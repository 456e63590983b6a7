"""Calendar objects and cards: content lines, validation, recurrence, time zones. Pure."""
