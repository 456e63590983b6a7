"""HTTP authentication schemes: Basic (RFC 7617) and Digest (RFC 7616)."""
