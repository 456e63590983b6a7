"""What bringing a feed to another server can come to."""

from __future__ import annotations


class RemoteError(Exception):
    """The other server did not do what it was asked; ``str`` tells why, without any secret.

    Attributes:
        retry_after: seconds after which that server wants to be asked again; 0 if it did not say.
        is_final: whether asking the same again cannot help.
    """

    def __init__(self, why: str, *, retry_after: int = 0, is_final: bool = False) -> None:
        super().__init__(why)
        self.retry_after = retry_after
        self.is_final = is_final
