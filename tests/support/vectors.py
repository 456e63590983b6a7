"""What a real Apache 2.4.71 answered: the cases of data/apache-vectors.json."""

from __future__ import annotations

import base64
import json
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
        setup: what is odd about the file: ``symlink``, ``unreadable`` or nothing.
        authorization: the header's value as WSGI shows it, several joined as servers join them.
        expected_status: what we answer: Apache's own status, but 401 where it is unsafe to copy,
            and 503 where the file cannot be read.
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
    """All cases as the file has them."""
    vectors: list[dict[str, Any]] = json.loads(_FILE.read_text())
    return vectors


def file_bytes(text: str | None, encoding: str) -> bytes | None:
    """A user file of a case."""
    if encoding == "missing" or text is None:
        return None
    return base64.b64decode(text) if encoding == "base64" else text.encode(encoding)


def htpasswd_vectors() -> list[Vector]:
    """The cases of kind htpasswd."""
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
