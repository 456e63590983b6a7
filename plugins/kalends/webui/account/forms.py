"""Parsing of forms: small ones, and uploads, which are spooled to a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import PurePath
from typing import Any
from urllib.parse import parse_qs

from multipart import (
    MultipartParser,
    MultipartPart,
    ParserLimitReached,
    parse_options_header,
)

from kalends.errors import BodyRefusedError
from kalends.limit_names import Limit

LARGEST_FILE = 32 << 20
"""The largest file that is accepted, octets; `kalends import` accepts larger ones.

Parsing a file takes some thirteen times its size of memory.
"""

_SMALL = 10_000
_AROUND = 4_000  # the other fields of a form with a file
_PARTS = 8


@dataclass(slots=True)
class Form:
    """The content of a form.

    Attributes:
        fields: its text fields.
        file: the file in it, or None.
        file_name: the name of the file, without folders.
    """

    fields: dict[str, str] = field(default_factory=dict)
    file: MultipartPart | None = None
    file_name: str = ""


@contextmanager
def open_form(environ: Mapping[str, Any], largest: int) -> Iterator[Form]:
    """Open the form in the body of a POST, for the block.

    Args:
        environ: the request.
        largest: the largest file that is accepted, octets.

    Raises:
        BodyRefusedError: it is not a form (415), has no length (411), is too large (413), or is
            incomplete or invalid (400).
    """
    kind, options = parse_options_header(environ.get("CONTENT_TYPE", ""))
    length = environ.get("CONTENT_LENGTH") or ""
    if not length:
        raise BodyRefusedError(HTTPStatus.LENGTH_REQUIRED, "A form must have a Content-Length.")
    if not (length.isascii() and length.isdigit()):
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "The Content-Length is not a number.")
    if kind == "application/x-www-form-urlencoded":
        yield _small_form(environ, int(length))
        return
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise BodyRefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The request is not a form.")
    if int(length) > largest + _AROUND:
        raise _too_large(largest)
    form = Form()
    try:
        _read(_parser(environ, options["boundary"], int(length), largest), form)
    except ParserLimitReached:
        raise _too_large(largest) from None
    except ValueError:  # includes the parser's own errors
        raise BodyRefusedError(
            HTTPStatus.BAD_REQUEST, "The form is incomplete. Try again."
        ) from None
    try:
        yield form
    finally:
        if form.file:
            form.file.close()


def _parser(
    environ: Mapping[str, Any], boundary: str, length: int, largest: int
) -> MultipartParser:
    return MultipartParser(
        environ["wsgi.input"],
        boundary,
        length,
        strict=True,
        part_limit=_PARTS,
        partsize_limit=largest,
        memory_limit=_AROUND * _PARTS + (1 << 16),
        disk_limit=largest,
    )


def _small_form(environ: Mapping[str, Any], length: int) -> Form:
    if length > _SMALL:
        raise _too_large(_SMALL)
    body: bytes = environ["wsgi.input"].read(length)
    if len(body) < length:
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "The form is incomplete. Try again.")
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=_PARTS)
    return Form({name: values[0] for name, values in fields.items()})


def _read(parser: MultipartParser, form: Form) -> None:
    for part in parser:
        if part.filename is None:
            form.fields[part.name] = part.value
        elif form.file is None and part.filename:
            form.file = part
            form.file_name = PurePath(part.filename.replace("\\", "/")).name
        else:
            part.close()


def largest_file(largest_body: int) -> int:
    """Return the largest file that fits into a form, octets.

    Args:
        largest_body: the largest body of a request, octets.
    """
    return max(0, min(LARGEST_FILE, largest_body - _AROUND))


def in_words(octets: int) -> str:
    """Return a size in words, as in ``32 MB``."""
    return f"{octets >> 20} MB" if octets >> 20 else f"{octets >> 10} KB"


def _too_large(largest: int) -> BodyRefusedError:
    why = f"The file is larger than {in_words(largest)}, the most that this page accepts."
    return BodyRefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why, limit=Limit.BODY)
