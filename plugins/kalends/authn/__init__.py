"""Apache's user files, and HTTP authentication against them."""
