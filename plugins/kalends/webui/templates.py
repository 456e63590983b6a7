"""Templates: Jinja2, which escapes everything and takes no name that was not given."""

from __future__ import annotations

from hashlib import sha256

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from kalends.webui.assets import Assets

_SHARED = "kalends.webui"


class Templates:
    """The templates and assets of one part, with the shared ones behind them.

    Args:
        package: the part's dotted name; its data lies in ``templates/`` and ``static/``.

    Attributes:
        assets: serves the files in ``static/``.
        version: changes with any template or asset, for entity tags.
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
        told = sha256(self.assets.version.encode())
        for name in environment.list_templates():
            assert environment.loader is not None
            told.update(environment.loader.get_source(environment, name)[0].encode())
        self.version = told.hexdigest()[:12]

    def render(self, template: str, *, assets: str, **values: object) -> bytes:
        """A page as UTF-8.

        Args:
            template: its file in ``templates/``.
            assets: the address, with a slash at its end, below which the part serves its assets.
            values: what the template shows.
        """
        found = self._environment.get_template(template)
        return found.render(asset=lambda file: assets + self.assets.name(file), **values).encode()
