"""What one who is logged in sees: addresses, a profile for Apple's programs, files in and out."""
