"""WebDAV client that uploads or removes one file (RFC 4918, RFC 9110 section 13)."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import BinaryIO

import httpx

from kalends import __version__
from kalends.feeds.definitions.remote_credentials import RemoteServer
from kalends.feeds.publish.errors import RemoteError

_TIMEOUTS = httpx.Timeout(connect=10, read=60, write=60, pool=10)
_BLOCK = 1 << 16
_ALGORITHMS = {"MD5", "MD5-SESS", "SHA-256", "SHA-256-SESS"}
_RETRY_AFTER_MOST = 6 * 3600

_WHY = {
    401: "the login was refused; check the file that [kalends] remotes names",
    403: "the server forbids it",
    404: "there is no folder at this address that accepts files",
    405: "files cannot be uploaded to this address",
    409: "its folder does not exist",
    412: "another client wrote to it at the same moment",
    413: "it is too large for that server",
    423: "it is locked on that server",
    507: "that server has no space left",
}


def put(
    remote: RemoteServer, url: str, file: BinaryIO, known_etag: str, on_block: Callable[[], None]
) -> tuple[str, bool]:
    """Upload a file, unless another client writes to its URL at the same moment.

    Args:
        remote: the credentials.
        url: the URL.
        file: the new content, seekable.
        known_etag: the opaque part of the last known entity tag; empty if none is known.
        on_block: called before each block of the upload.

    Returns:
        The opaque part of the new entity tag (empty if the server sends none), and True if another
        client had changed the file since the last upload.

    Raises:
        RemoteError: the upload failed; the old content is most likely still there.
    """
    body = _ReplayableBody(file, on_block)
    with _client(remote) as client:
        current = _current(client, url)
        headers = {"Content-Type": "text/calendar; charset=utf-8", "Content-Length": str(body.size)}
        if current is None:
            headers["If-None-Match"] = "*"
        elif current.startswith('"'):  # a weak one never matches (RFC 9110 section 13.1.1)
            headers["If-Match"] = current
        with client.stream("PUT", url, headers=headers, content=body) as answer:
            _require(answer, (200, 201, 202, 204))
            etag = answer.headers.get("ETag", "")
        if not etag:
            etag = _current(client, url) or ""
    was_changed = bool(known_etag and current and _opaque(current) != known_etag)
    return _opaque(etag), was_changed


def remove(remote: RemoteServer, url: str, known_etag: str) -> bool:
    """Remove a file, unless another client has changed it since it was uploaded.

    If the server sends no entity tag, the file is assumed to be unchanged.

    Args:
        remote: the credentials.
        url: the URL.
        known_etag: the opaque part of the last known entity tag; empty if none is known.

    Returns:
        True if the file is gone; False if another client has changed it.

    Raises:
        RemoteError: the removal failed.
    """
    with _client(remote) as client:
        current = _current(client, url)
        if current is None:
            return True
        if current and known_etag and _opaque(current) != known_etag:
            return False
        tag = current or (f'"{known_etag}"' if known_etag else "")
        headers = {"If-Match": tag} if tag.startswith('"') else {}
        with client.stream("DELETE", url, headers=headers) as answer:
            if answer.status_code == 412:
                return False
            if answer.status_code not in (404, 410):
                _require(answer, (200, 202, 204))
    return True


class _ReplayableBody(httpx.SyncByteStream):
    """A request body that can be sent again after a challenge."""

    def __init__(self, file: BinaryIO, on_block: Callable[[], None]) -> None:
        self._file = file
        self._on_block = on_block
        self.size = file.seek(0, 2)

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            self._on_block()
            yield block


class _Login(httpx.Auth):
    """Authentication by Digest if the server offers it, else by Basic if that is permitted."""

    def __init__(self, remote: RemoteServer) -> None:
        self._digest = httpx.DigestAuth(remote.user, remote.password)
        self._basic = httpx.BasicAuth(remote.user, remote.password)
        self._basic_over_http = remote.basic_over_http
        self._uses_basic = False

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Answer a challenge; later requests carry the credentials at once."""
        if self._uses_basic:
            yield from self._basic.auth_flow(request)
            return
        digest = self._digest.auth_flow(request)
        response = yield next(digest)
        if response.status_code != 401:
            return
        challenges = response.headers.get_list("WWW-Authenticate")
        supported = next((c for c in challenges if _is_supported_digest(c)), None)
        if supported:
            response.headers["WWW-Authenticate"] = supported
            yield digest.send(response)
        elif any(c.lower().startswith("basic") for c in challenges):
            if request.url.scheme != "https" and not self._basic_over_http:
                raise RemoteError(
                    "it asks for the password in clear text over plain http; to permit that, set "
                    "basic_over_http = true in the file that [kalends] remotes names",
                    is_final=True,
                )
            self._uses_basic = True
            yield from self._basic.auth_flow(request)


def _is_supported_digest(challenge: str) -> bool:
    if not challenge.lower().startswith("digest "):
        return False
    algorithm = re.search(r'\balgorithm="?([A-Za-z0-9-]+)', challenge, re.IGNORECASE)
    qop = re.search(r'\bqop="?([a-z, -]+)', challenge, re.IGNORECASE)
    takes_auth = qop is None or "auth" in re.split(r", ?", qop[1])
    return takes_auth and (algorithm is None or algorithm[1].upper() in _ALGORITHMS)


@contextmanager
def _client(remote: RemoteServer) -> Iterator[httpx.Client]:
    """Open a client that does not follow redirects: the login is for the named server only."""
    try:
        trusted = ssl.create_default_context(cafile=remote.certificate)
    except (OSError, ssl.SSLError):
        raise RemoteError(
            f"{remote.certificate} does not contain a certificate", is_final=True
        ) from None
    with httpx.Client(
        auth=_Login(remote) if remote.user else None,
        verify=trusted,
        timeout=_TIMEOUTS,
        follow_redirects=False,
        headers={"User-Agent": f"Kalends/{__version__}", "Accept-Encoding": "identity"},
    ) as client:
        try:
            yield client
        except httpx.TimeoutException:
            raise RemoteError("it did not respond in time") from None
        except httpx.HTTPError as error:
            raise RemoteError(_reason(error)) from None


def _current(client: httpx.Client, url: str) -> str | None:
    """Return the current entity tag: None if there is no file, empty if the tag is unknown."""
    answer = client.head(url)
    if answer.status_code in (404, 410):
        return None
    if answer.status_code in (403, 405, 501):  # some servers permit uploads but not reads
        return ""
    _require(answer, (200, 204))
    return str(answer.headers.get("ETag", ""))


def _require(answer: httpx.Response, wanted: tuple[int, ...]) -> None:
    status = answer.status_code
    if status in wanted:
        return
    if answer.has_redirect_location:
        where = answer.headers["Location"].partition("?")[0]
        raise RemoteError(f"{status}: it redirects to {where!a}; use that address instead")
    retry = answer.headers.get("Retry-After", "")
    seconds = min(int(retry), _RETRY_AFTER_MOST) if retry.isascii() and retry.isdigit() else 0
    why = _WHY.get(status, "the server failed" if status >= 500 else "it was refused")
    raise RemoteError(f"{status}: {why}", retry_after=seconds, is_final=status in (401, 403, 405))


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/").strip('"')


def _reason(error: httpx.HTTPError) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return (
            "its certificate cannot be trusted; if it is right, name it with 'certificate' "
            "in the file that [kalends] remotes names"
        )
    if isinstance(error, httpx.ConnectError):
        return "it cannot be reached"
    return "the connection broke"
