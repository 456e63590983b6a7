"""The answers of a real Apache 2.4.71: the cases of data/apache-vectors.json."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parent.parent / "data" / "apache-vectors.json"


@dataclass(frozen=True)
class Vector:
    """One case for HTTP Basic.

    Attributes:
        id: its name in the file.
        file: the bytes of the password file; None if there is none.
        setup: a peculiarity of the file: ``symlink``, ``unreadable`` or empty.
        authorization: the header's value in WSGI; several are joined as servers join them.
        expected_status: the status of Kalends: that of Apache, but 401 where Apache's is unsafe
            to copy, and 503 where the file cannot be read.
    """

    id: str
    file: bytes | None
    setup: str
    authorization: str | None
    expected_status: int
    user: str
    realm: str
    method: str
    uri: str
    note: str


@cache
def raw_vectors() -> list[dict[str, Any]]:
    """Return all cases as they are in the file."""
    vectors: list[dict[str, Any]] = json.loads(_FILE.read_text())
    return vectors


def file_bytes(text: str | None, encoding: str) -> bytes | None:
    """Return the user file of a case; None if it has none."""
    if encoding == "missing" or text is None:
        return None
    return base64.b64decode(text) if encoding == "base64" else text.encode(encoding)


def htpasswd_vectors() -> list[Vector]:
    """Return the cases of kind htpasswd."""
    return [_vector(raw) for raw in raw_vectors() if raw["kind"] == "htpasswd"]


def _vector(raw: dict[str, Any]) -> Vector:
    status = {500: 503}.get(raw["status"], raw["status"])
    values = raw["authorization"]
    return Vector(
        id=raw["id"],
        file=file_bytes(raw["file"], raw["file_encoding"]),
        setup=raw.get("file_setup", ""),
        authorization=", ".join(values).encode().decode("latin-1") if values else None,
        expected_status=401 if raw.get("unsafe_to_copy") else status,
        user=raw["user"],
        realm=raw["realm"],
        method=raw["method"],
        uri=raw["uri"],
        note=raw.get("note", ""),
    )


@dataclass(frozen=True)
class DigestStep:
    """One request of a Digest case.

    Attributes:
        template: the Authorization header with @NONCE@ and @RESPONSE@ to fill in; None for none.
        nonce: the origin of the nonce, or the nonce itself.
        wait: seconds between challenge and response.
        digest: the input of the response (see the file's own description).
        allowed: Apache's verdict; a refusal if that is unsafe to copy.
        stale: True if the refusal has ``stale=true``.
        next_nonce: True if the answer has a ``nextnonce``; None if that is unknown.
    """

    template: str | None
    nonce: str
    wait: float
    digest: dict[str, Any]
    allowed: bool
    stale: bool
    next_nonce: bool | None


@dataclass(frozen=True)
class DigestVector:
    """One case for HTTP Digest, of one request or several."""

    id: str
    file: bytes
    realm: str
    method: str
    uri: str
    conf: str
    steps: tuple[DigestStep, ...]
    status: int
    unsafe: bool
    note: str

    def header(self, step: DigestStep, nonce: str) -> str | None:
        """Return the complete Authorization header of a step, as it is in WSGI."""
        if step.template is None:
            return None
        given = step.digest
        encoding = given["encoding"]

        def md5(text: str) -> str:
            return hashlib.md5(text.encode(encoding), usedforsecurity=False).hexdigest()

        ha1 = given["ha1"]
        ha1 = ha1.removeprefix("literal:") if ha1.startswith("literal:") else md5(ha1)
        middle = [] if given["qop"] is None else [given["nc"], given["cnonce"], given["qop"]]
        response = md5(":".join([ha1, nonce, *middle, md5(given["a2"])]))
        if given.get("response_case") == "upper":
            response = response.upper()
        response = response[: given.get("response_cut", 64)] + given.get("response_extra", "")
        text = step.template.replace("@NONCE@", nonce).replace("@RESPONSE@", response)
        return text.replace(', opaque="@OPAQUE@"', "").encode(encoding).decode("latin-1")


def digest_vectors() -> list[DigestVector]:
    """Return the cases of kind htdigest."""
    return [_digest_vector(raw) for raw in raw_vectors() if raw["kind"] == "htdigest"]


def _digest_vector(raw: dict[str, Any]) -> DigestVector:
    data = file_bytes(raw["file"], raw["file_encoding"])
    assert data is not None
    unsafe = "unsafe_to_copy" in raw
    if "steps" in raw:
        steps = tuple(_sequence_step(raw, step) for step in raw["steps"])
    else:
        steps = (_single_step(raw),)
    return DigestVector(
        id=raw["id"],
        file=data,
        realm=raw["realm"],
        method=raw["method"],
        uri=raw["uri"].encode().decode("latin-1"),
        conf=raw.get("apache_conf", ""),
        steps=steps,
        status=raw.get("status", 0),
        unsafe=unsafe,
        note=raw.get("note", ""),
    )


def _single_step(raw: dict[str, Any]) -> DigestStep:
    given = raw["digest"]
    return DigestStep(
        template=given["authorization_template"],
        nonce=given["nonce"],
        wait=given["wait_seconds"],
        digest=given,
        allowed=raw["expect"] == "allow" and "unsafe_to_copy" not in raw,
        stale=bool(raw.get("stale")),
        next_nonce=None,
    )


def _sequence_step(raw: dict[str, Any], step: dict[str, Any]) -> DigestStep:
    template = step["template"]
    cnonce = re.search('cnonce="([^"]*)"', template)
    assert cnonce is not None
    return DigestStep(
        template=template,
        nonce=step["nonce_from"],
        wait=0,
        digest={
            "encoding": "utf-8",
            "ha1": f"{raw['user']}:{raw['realm']}:{step['password']}",
            "a2": f"{raw['method']}:{raw['uri']}",
            "qop": "auth",
            "nc": step["nc"],
            "cnonce": cnonce[1],
        },
        allowed=step["expect"] == "allow",
        stale=bool(step["stale"]),
        next_nonce=step["nextnonce"],
    )
