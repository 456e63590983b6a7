"""Radicale's ``[rights] type = kalends.rights``: the public name of ``kalends.adapters.rights``."""

from kalends.adapters.rights import Rights

__all__ = ["Rights"]
