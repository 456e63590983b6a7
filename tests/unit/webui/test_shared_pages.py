"""The shared parts of all web pages: assets, escaping, the security policy, compression."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Iterable
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from kalends.webui.responses import html, security_headers
from kalends.webui.templates import Templates


@pytest.fixture(scope="module")
def pages() -> Templates:
    return Templates("kalends.webui")


class Response:
    def __init__(self) -> None:
        self.status = ""
        self.headers: dict[str, str] = {}

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        self.status, self.headers = status, dict(headers)
        return lambda _: None


def request(method: str = "GET", **more: str) -> dict[str, Any]:
    return {"REQUEST_METHOD": method, **more}


def get_asset(pages: Templates, name: str, method: str = "GET") -> tuple[Response, bytes]:
    response = Response()
    body: Iterable[bytes] = pages.assets(request(method), response, name)
    return response, b"".join(body)


def test_an_asset_is_named_by_its_content_and_cached_for_good(pages: Templates) -> None:
    name = pages.assets.name("base.css")
    response, body = get_asset(pages, name)
    assert response.status == "200 OK"
    assert response.headers["Content-Type"] == "text/css; charset=utf-8"
    assert "immutable" in response.headers["Cache-Control"]
    assert sha256(body).hexdigest()[:12] in name
    head, nothing = get_asset(pages, name, "HEAD")
    assert (head.headers, nothing) == (response.headers, b"")


@pytest.mark.parametrize(
    ("name", "method", "status"),
    [
        ("base.css", "GET", "404 Not Found"),
        ("../templates/layout.html", "GET", "404 Not Found"),
        ("", "GET", "404 Not Found"),
        ("base.css", "POST", "405 Method Not Allowed"),
    ],
)
def test_no_other_file_is_served(pages: Templates, name: str, method: str, status: str) -> None:
    assert get_asset(pages, name, method)[0].status == status


def test_undefined_names_are_errors_and_values_are_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "some_pages"
    for folder in ("templates", "static"):
        (package / folder).mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "templates" / "some.html").write_text("{{ given }}")
    monkeypatch.syspath_prepend(tmp_path)
    pages = Templates("some_pages")
    with pytest.raises(UndefinedError):
        pages.render("some.html", assets="/")
    assert pages.render("some.html", assets="/", given="<script>") == b"&lt;script&gt;"


def test_the_layout_links_to_the_hashed_asset(pages: Templates) -> None:
    body = pages.render("layout.html", assets="/x/.static/").decode()
    assert f'href="/x/.static/{pages.assets.name("base.css")}"' in body


def test_the_policy_allows_a_style_by_its_hash_and_frames_by_their_source() -> None:
    headers = dict(security_headers(styles=[".a{}"], embedded_by=["https://example.org"]))
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    digest = base64.b64encode(sha256(b".a{}").digest()).decode()
    assert policy["style-src"] == f"'self' 'sha256-{digest}'"
    assert policy["script-src"] == "'self'"
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "https://example.org"
    assert "X-Frame-Options" not in headers
    alone = dict(security_headers())
    assert "frame-ancestors 'none'" in alone["Content-Security-Policy"]
    assert alone["X-Frame-Options"] == "DENY"
    assert alone["Referrer-Policy"] == "no-referrer"


def test_a_page_is_compressed_on_request_and_has_no_body_for_head() -> None:
    body = b"<p>" * 1000
    packed = request(HTTP_ACCEPT_ENCODING="gzip")
    response = Response()
    assert gzip.decompress(b"".join(html(packed, response, HTTPStatus.OK, body, []))) == body
    assert response.headers["Content-Encoding"] == "gzip"
    assert b"".join(html(request(), response, HTTPStatus.OK, body, [])) == body
    assert list(html(request("HEAD"), response, HTTPStatus.OK, body, [])) == []
    assert response.headers["Content-Length"] == str(len(body))
