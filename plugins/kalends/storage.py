"""Radicale's ``[storage] type = kalends.storage``: the public name of its adapter."""

from kalends.adapters.storage import Storage

__all__ = ["Storage"]
