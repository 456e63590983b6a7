"""Calendar objects and cards in the store: reading, writing and time ranges."""
