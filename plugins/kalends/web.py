"""Radicale's ``[web] type = kalends.web``: the public name of ``kalends.adapters.web``."""

from kalends.adapters.web import Web

__all__ = ["Web"]
