"""Radicale's ``[auth] type = kalends.auth``: the public name of ``kalends.adapters.auth``."""

from kalends.adapters.auth import Auth

__all__ = ["Auth"]
