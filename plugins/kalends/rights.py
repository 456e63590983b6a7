"""Radicale's ``[rights] type = kalends.rights``, for a Radicale that runs by itself."""

from kalends.adapters.stock import StockRights as Rights

__all__ = ["Rights"]
