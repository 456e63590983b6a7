"""Radicale's ``[auth] type = kalends.auth``, for a Radicale that runs by itself."""

from kalends.adapters.stock import StockAuth as Auth

__all__ = ["Auth"]
