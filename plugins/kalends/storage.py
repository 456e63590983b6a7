"""Radicale's ``[storage] type = kalends.storage``: the public name of its adapter."""

from kalends.adapters.stock import StockStorage as Storage

__all__ = ["Storage"]
