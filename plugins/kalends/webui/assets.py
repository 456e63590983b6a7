"""Style sheets and scripts, read once and named by their content, so that browsers cache them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files

from kalends.common.wsgi import Environ, StartResponse, plain

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_IMMUTABLE = "public, max-age=31536000, immutable"


class Assets:
    """The files in ``static/`` of some packages; of two with the same name the first is used.

    Args:
        packages: the dotted names of the packages.
    """

    def __init__(self, packages: Sequence[str]) -> None:
        self._names: dict[str, str] = {}
        self._content: dict[str, bytes] = {}
        for package in packages:
            folder = files(package) / "static"
            for file in sorted(folder.iterdir(), key=lambda file: file.name):
                if file.name not in self._names:
                    self._add(file.name, file.read_bytes())

    def _add(self, name: str, content: bytes) -> None:
        stem, _, kind = name.rpartition(".")
        hashed = f"{stem}.{sha256(content).hexdigest()[:12]}.{kind}"
        self._names[name] = hashed
        self._content[hashed] = content

    @property
    def version(self) -> str:
        """A text that changes with any of the files."""
        return " ".join(sorted(self._content))

    def name(self, file: str) -> str:
        """Return the name under which a file is served.

        Raises:
            KeyError: there is no such file.
        """
        return self._names[file]

    def __call__(
        self, environ: Environ, start_response: StartResponse, name: str
    ) -> Iterable[bytes]:
        """Answer a request for the file of this name."""
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            allow = [("Allow", "GET, HEAD")]
            return plain(environ, start_response, HTTPStatus.METHOD_NOT_ALLOWED, headers=allow)
        content = self._content.get(name)
        if content is None:
            return plain(environ, start_response, HTTPStatus.NOT_FOUND)
        start_response(
            "200 OK",
            [
                ("Content-Type", _TYPES[name.rpartition(".")[2]]),
                ("Content-Length", str(len(content))),
                ("Cache-Control", _IMMUTABLE),
                ("X-Content-Type-Options", "nosniff"),
            ],
        )
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [content]
