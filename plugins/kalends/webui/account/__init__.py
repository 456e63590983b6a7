"""The account page of a logged-in user: addresses, Apple profile, feeds, import, download."""
