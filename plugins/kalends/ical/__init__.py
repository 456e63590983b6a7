"""Calendar objects and cards: content lines, validation, recurrence, time zones.

Pure functions of text: nothing here reads a file, a database or the network.
"""
