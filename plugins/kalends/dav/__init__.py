"""Radicale's application, with the requests that it lacks, harms or answers slowly as our own."""
