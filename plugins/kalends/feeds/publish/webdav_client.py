"""One file on another WebDAV server: put there, or taken away (RFC 4918, RFC 9110 section 13)."""

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
    401: "the login was refused; look at the file that [kalends] remotes names",
    403: "it is forbidden there",
    404: "there is nothing at this address that takes files",
    405: "files cannot be put at this address",
    409: "the folder above it is not there",
    412: "somebody else wrote there at the same moment",
    413: "it is too large for that server",
    423: "it is locked there",
    507: "there is no room on that server",
}


def put(
    remote: RemoteServer, url: str, file: BinaryIO, known: str, sending: Callable[[], None]
) -> tuple[str, bool]:
    """Let ``url`` hold what is in a file, unless somebody else writes there at the same moment.

    Args:
        remote: how to log in.
        file: the new content, seekable.
        known: the opaque part of the entity tag that we saw there last; empty if we saw none.
        sending: called again and again while octets go out.

    Returns:
        the opaque part of the new entity tag (empty if the server tells none), and whether somebody
        else had changed what we had put there.

    Raises:
        RemoteError: it did not work; what was there is there still, as far as we know.
    """
    body = _ReplayableBody(file, sending)
    with _client(remote) as client:
        current = _current(client, url)
        headers = {"Content-Type": "text/calendar; charset=utf-8", "Content-Length": str(body.size)}
        if current is None:
            headers["If-None-Match"] = "*"
        elif current.startswith('"'):  # a weak one never matches (RFC 9110 section 13.1.1)
            headers["If-Match"] = current
        with client.stream("PUT", url, headers=headers, content=body) as answer:
            _require(answer, (200, 201, 202, 204))
            noted = answer.headers.get("ETag", "")
        if not noted:
            noted = _current(client, url) or ""
    was_changed = bool(known and current and _opaque(current) != known)
    return _opaque(noted), was_changed


def remove(remote: RemoteServer, url: str, known: str) -> bool:
    """Take away what we have put at ``url``; what somebody else has put there since stays.

    A server that tells no entity tag is believed to hold what we have put there.

    Args:
        remote: how to log in.
        known: the opaque part of the entity tag that we saw there last; empty if we saw none.

    Returns:
        whether nothing is there any more; else it is somebody else's.

    Raises:
        RemoteError: it did not work.
    """
    with _client(remote) as client:
        current = _current(client, url)
        if current is None:
            return True
        if current and known and _opaque(current) != known:
            return False
        tag = current or (f'"{known}"' if known else "")
        headers = {"If-Match": tag} if tag.startswith('"') else {}
        with client.stream("DELETE", url, headers=headers) as answer:
            if answer.status_code == 412:
                return False
            if answer.status_code not in (404, 410):
                _require(answer, (200, 202, 204))
    return True


class _ReplayableBody(httpx.SyncByteStream):
    """A request's body that can be sent again, after a challenge."""

    def __init__(self, file: BinaryIO, sending: Callable[[], None]) -> None:
        self._file = file
        self._sending = sending
        self.size = file.seek(0, 2)

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            self._sending()
            yield block


class _Login(httpx.Auth):
    """Digest where the server offers it, else Basic where it does not show the password."""

    def __init__(self, remote: RemoteServer) -> None:
        self._digest = httpx.DigestAuth(remote.user, remote.password)
        self._basic = httpx.BasicAuth(remote.user, remote.password)
        self._may_show = remote.basic_over_http
        self._uses_basic = False

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Answer a challenge; the next requests come with an answer at once."""
        if self._uses_basic:
            yield from self._basic.auth_flow(request)
            return
        digest = self._digest.auth_flow(request)
        response = yield next(digest)
        if response.status_code != 401:
            return
        challenges = response.headers.get_list("WWW-Authenticate")
        known = next((c for c in challenges if _is_digest_we_know(c)), None)
        if known:
            response.headers["WWW-Authenticate"] = known
            yield digest.send(response)
        elif any(c.lower().startswith("basic") for c in challenges):
            if request.url.scheme != "https" and not self._may_show:
                raise RemoteError(
                    "it wants the password readably, over plain http; with basic_over_http = true "
                    "in the file that [kalends] remotes names it gets it",
                    is_final=True,
                )
            self._uses_basic = True
            yield from self._basic.auth_flow(request)


def _is_digest_we_know(challenge: str) -> bool:
    if not challenge.lower().startswith("digest "):
        return False
    algorithm = re.search(r'\balgorithm="?([A-Za-z0-9-]+)', challenge, re.IGNORECASE)
    qop = re.search(r'\bqop="?([a-z, -]+)', challenge, re.IGNORECASE)
    takes_auth = qop is None or "auth" in re.split(r", ?", qop[1])
    return takes_auth and (algorithm is None or algorithm[1].upper() in _ALGORITHMS)


@contextmanager
def _client(remote: RemoteServer) -> Iterator[httpx.Client]:
    """A client that follows no redirect: a login is for the server that the file names."""
    try:
        trusted = ssl.create_default_context(cafile=remote.certificate)
    except (OSError, ssl.SSLError):
        raise RemoteError(f"{remote.certificate} holds no certificate", is_final=True) from None
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
            raise RemoteError("it does not answer in time") from None
        except httpx.HTTPError as error:
            raise RemoteError(_plain(error)) from None


def _current(client: httpx.Client, url: str) -> str | None:
    """The entity tag of what is there: None if nothing is, empty if that cannot be told."""
    answer = client.head(url)
    if answer.status_code in (404, 410):
        return None
    if answer.status_code in (403, 405, 501):  # some let files be put, and not be read
        return ""
    _require(answer, (200, 204))
    return str(answer.headers.get("ETag", ""))


def _require(answer: httpx.Response, wanted: tuple[int, ...]) -> None:
    status = answer.status_code
    if status in wanted:
        return
    if answer.has_redirect_location:
        where = answer.headers["Location"].partition("?")[0]
        raise RemoteError(f"{status}: it redirects to {where!a}; name that address instead")
    retry = answer.headers.get("Retry-After", "")
    seconds = min(int(retry), _RETRY_AFTER_MOST) if retry.isascii() and retry.isdigit() else 0
    why = _WHY.get(status, "it failed there" if status >= 500 else "it was refused")
    raise RemoteError(f"{status}: {why}", retry_after=seconds, is_final=status in (401, 403, 405))


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/").strip('"')


def _plain(error: httpx.HTTPError) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "its certificate cannot be trusted; 'certificate' in the file of remotes names it"
    if isinstance(error, httpx.ConnectError):
        return "it cannot be reached"
    return "the connection broke"
