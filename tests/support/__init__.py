"""Helpers that several tests share: real servers, clients and data."""
