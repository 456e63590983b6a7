"""Password hashes: their verification and the limits of their cost."""
