"""Methods that change the store: PUT, MOVE and DELETE."""
