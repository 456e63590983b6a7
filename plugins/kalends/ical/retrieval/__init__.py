"""Parts and forms of calendar objects that a client asks for (RFC 4791 sections 7.10 and 9.6)."""
