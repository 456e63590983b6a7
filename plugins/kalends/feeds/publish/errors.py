"""Errors of publication on other servers."""

from __future__ import annotations


class RemoteError(Exception):
    """A request to another server failed; the message has the reason and no secret.

    Attributes:
        retry_after: the seconds of the server's Retry-After; 0 if it sent none.
        is_final: whether a retry of the same request is useless.
    """

    def __init__(self, why: str, *, retry_after: int = 0, is_final: bool = False) -> None:
        super().__init__(why)
        self.retry_after = retry_after
        self.is_final = is_final
