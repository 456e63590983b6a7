"""The pages below ``/.web/``: ``[web] type = kalends.web``, Radicale's collection manager."""

from radicale.web.internal import Web as Web
