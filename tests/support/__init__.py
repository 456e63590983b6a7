"""What several tests share: real servers to talk to, and data to talk about."""
