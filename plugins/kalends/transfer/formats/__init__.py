"""Readers for the folder layouts of other servers, one module for each."""
