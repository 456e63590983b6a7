"""Jinja2 templates, set to escape everything and to refuse undefined names."""

from __future__ import annotations

from hashlib import sha256

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from kalends.webui.assets import Assets

_SHARED = "kalends.webui"


class Templates:
    """The templates and assets of one package, with the shared ones behind them.

    Args:
        package: the dotted name of the package that has ``templates/`` and ``static/``.

    Attributes:
        assets: the files in ``static/``.
        version: a text that changes with any template or asset, for entity tags.
    """

    def __init__(self, package: str) -> None:
        self.assets = Assets((package, _SHARED))
        self._environment = environment = Environment(
            loader=ChoiceLoader([PackageLoader(package), PackageLoader(_SHARED)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        digest = sha256(self.assets.version.encode())
        for name in environment.list_templates():
            assert environment.loader is not None
            digest.update(environment.loader.get_source(environment, name)[0].encode())
        self.version = digest.hexdigest()[:12]

    def render(self, template: str, *, assets: str, **values: object) -> bytes:
        """Return a page as UTF-8.

        Args:
            template: its file in ``templates/``.
            assets: the address below which the assets are served, with a slash at its end.
            values: the values that the template uses.
        """
        found = self._environment.get_template(template)
        return found.render(asset=lambda file: assets + self.assets.name(file), **values).encode()
