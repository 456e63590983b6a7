"""The headers of trusted proxies, which are ignored from other clients."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

import pytest

from kalends.app.middleware.proxy_headers import TrustedProxies
from kalends.common.wsgi import PREFIX_KEY, web_server_login
from kalends.config.options import parse_proxies
from kalends.config.settings import Proxy

TRUSTED = parse_proxies("127.0.0.1, 10.0.0.0/8, ::1, unix")


def behind(trusted: frozenset[Proxy] = TRUSTED, prefix: str = "", **environ: str) -> dict[str, Any]:
    """Return the environ that the application behind gets."""
    seen: list[dict[str, Any]] = []

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append(environ)
        return []

    TrustedProxies(application, trusted, prefix)(
        {
            "REMOTE_ADDR": "127.0.0.1",
            "PATH_INFO": "/alice/",
            "SCRIPT_NAME": "",
            "HTTP_HOST": "inside:5232",
            "SERVER_PORT": "5232",
            "wsgi.url_scheme": "http",
            **environ,
        },
        lambda *_: lambda _: None,
    )
    return seen[0]


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.3.2.1", "::1", "::ffff:127.0.0.1", ""])
def test_the_headers_of_a_trusted_proxy_are_applied(peer: str) -> None:
    seen = behind(
        REMOTE_ADDR=peer,
        HTTP_X_FORWARDED_FOR="192.0.2.7",
        HTTP_X_FORWARDED_PROTO="https",
        HTTP_X_FORWARDED_HOST="dav.example.org",
        HTTP_X_SCRIPT_NAME="/dav",
        HTTP_X_REMOTE_USER="alice",
    )
    assert seen["REMOTE_ADDR"] == "192.0.2.7"
    assert seen["wsgi.url_scheme"] == "https"
    assert (seen["HTTP_HOST"], seen["SERVER_PORT"]) == ("dav.example.org", "443")
    assert (seen["SCRIPT_NAME"], seen[PREFIX_KEY], seen["PATH_INFO"]) == ("/dav", "/dav", "/alice/")
    assert web_server_login(seen) == "alice"


@pytest.mark.parametrize("peer", ["192.0.2.1", "::2", "nonsense", "127.0.0.2"])
def test_the_headers_of_other_clients_are_removed(peer: str) -> None:
    seen = behind(
        REMOTE_ADDR=peer,
        HTTP_X_FORWARDED_FOR="192.0.2.7",
        HTTP_X_FORWARDED_PROTO="https",
        HTTP_X_FORWARDED_HOST="dav.example.org",
        HTTP_X_FORWARDED_PORT="1",
        HTTP_FORWARDED="for=192.0.2.7",
        HTTP_X_SCRIPT_NAME="//evil.example",
        HTTP_X_REMOTE_USER="alice",
        HTTP_X_REMOTE_ADDR="192.0.2.7",
    )
    assert seen["REMOTE_ADDR"] == peer
    assert seen["wsgi.url_scheme"] == "http"
    assert (seen["HTTP_HOST"], seen["SERVER_PORT"]) == ("inside:5232", "5232")
    assert seen["SCRIPT_NAME"] == ""
    assert web_server_login(seen) == ""
    assert not [name for name in seen if name.startswith(("HTTP_X", "HTTP_FORWARDED"))]


def test_a_unix_socket_is_trusted_only_if_configured() -> None:
    seen = behind(frozenset({ip_network("127.0.0.1")}), REMOTE_ADDR="", HTTP_X_REMOTE_USER="alice")
    assert web_server_login(seen) == ""


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("6.6.6.6, 192.0.2.7", "192.0.2.7"),
        ("6.6.6.6, 192.0.2.7, 10.0.0.9", "192.0.2.7"),
        ("10.0.0.8, 10.0.0.9", "10.0.0.8"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unknown", "127.0.0.1"),
        ("192.0.2.7, unknown", "127.0.0.1"),
        ("192.0.2.7, <script>, 10.0.0.9", "10.0.0.9"),
        ("", "127.0.0.1"),
    ],
)
def test_the_client_is_the_nearest_untrusted_address(forwarded: str, client: str) -> None:
    assert behind(HTTP_X_FORWARDED_FOR=forwarded)["REMOTE_ADDR"] == client


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/alice/", "/alice/"),
        ("/dav/alice/", "/alice/"),
        ("/dav", ""),
        ("/dave/calendar/", "/dave/calendar/"),
    ],
)
def test_a_prefix_in_the_path_is_removed(path: str, inside: str) -> None:
    assert behind(PATH_INFO=path, HTTP_X_SCRIPT_NAME="/dav/")["PATH_INFO"] == inside
    assert behind(PATH_INFO=path, prefix="/dav")["PATH_INFO"] == inside


def test_a_prefix_may_have_letters_beyond_ascii() -> None:
    wire = "/kalend\xc3\xa9r"
    for seen in (
        behind(PATH_INFO=f"{wire}/alice/", prefix="/kalend\xe9r"),
        behind(PATH_INFO=f"{wire}/alice/", HTTP_X_SCRIPT_NAME=wire),
    ):
        assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == (wire, "/alice/")


@pytest.mark.parametrize("prefix", ["", "/", "dav", "//evil.example", "https://evil.example"])
def test_an_invalid_prefix_is_ignored(prefix: str) -> None:
    seen = behind(HTTP_X_SCRIPT_NAME=prefix)
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("", "/alice/")
    assert PREFIX_KEY not in seen


@pytest.mark.parametrize("name", ["", "(null)"])
def test_an_empty_user_is_not_a_login(name: str) -> None:
    assert web_server_login(behind(HTTP_X_REMOTE_USER=name)) == ""


def test_the_login_of_the_web_server_itself_needs_no_trusted_address() -> None:
    seen = behind(REMOTE_ADDR="192.0.2.1", REMOTE_USER="alice")
    assert web_server_login(seen) == "alice"
    assert "REMOTE_USER" not in seen


@pytest.mark.parametrize(
    ("host", "scheme", "port", "outside"),
    [
        ("dav.example.org", "https", "8443", "dav.example.org:8443"),
        ("[2001:db8::1]", "https", "8443", "[2001:db8::1]:8443"),
        ("dav.example.org:9443", "https", "8443", "dav.example.org:9443"),
        ("[2001:db8::1]:9443", "https", "8443", "[2001:db8::1]:9443"),
        ("dav.example.org", "https", "443", "dav.example.org"),
        ("dav.example.org", "http", "80", "dav.example.org"),
        ("dav.example.org", "https", "80", "dav.example.org:80"),
    ],
)
def test_the_host_gets_the_port_that_the_proxy_names(
    host: str, scheme: str, port: str, outside: str
) -> None:
    for name in ("HTTP_HOST", "HTTP_X_FORWARDED_HOST"):
        headers = {name: host, "HTTP_X_FORWARDED_PROTO": scheme, "HTTP_X_FORWARDED_PORT": port}
        seen = behind(TRUSTED, "", **headers)
        assert (seen["HTTP_HOST"], seen["SERVER_PORT"]) == (outside, port)


def test_invalid_schemes_and_ports_are_ignored() -> None:
    seen = behind(HTTP_X_FORWARDED_PROTO="javascript", HTTP_X_FORWARDED_PORT="x")
    assert (seen["wsgi.url_scheme"], seen["SERVER_PORT"]) == ("http", "5232")
    assert behind(HTTP_X_FORWARDED_PROTO="http, https")["wsgi.url_scheme"] == "https"
