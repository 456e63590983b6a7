"""Digest nonces: their signatures and the cache that detects replays."""
