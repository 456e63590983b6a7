"""A parser for the XML of requests, which refuses what would cost too much before it is built."""

from __future__ import annotations

import codecs
import re
import xml.etree.ElementTree as ET
from http import HTTPStatus
from typing import NoReturn
from xml.parsers import expat

from kalends.dav.xml import limits
from kalends.errors import BodyRefusedError
from kalends.limit_names import Limit

# The beginning of a body in UTF-8, with the usual declaration or none.
_USUAL = re.compile(
    rb"""(?:<\?xml\s+version=["']1\.0["'](?:\s+encoding=["']utf-8["'])?"""
    rb"""(?:\s+standalone=["'](?:yes|no)["'])?\s*\?>)?\s*<(?![!?])""",
    re.IGNORECASE,
)
_SHORT_ATTRIBUTE = re.compile(
    rb"""=\s*(?:"[^"]{0,%d}"|'[^']{0,%d}'|[^\s"'])""" % (limits.MAX_NAME, limits.MAX_NAME)
)
_ENCODING = re.compile(rb"""<\?xml[^>]{0,100}?\sencoding\s*=\s*["']([^"'>]*)["']""")
_UTF_8 = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})
_LATIN_1 = frozenset({b"iso-8859-1", b"latin-1", b"latin1"})
_BLOCK = 1 << 14
# All that fits into so few octets is cheap, however it is divided.
_SHORT = 2048


def parse(body: bytes, most_elements: int = limits.MAX_ELEMENTS) -> ET.Element:
    """Return the root of a request's XML.

    Every processor reads UTF-8 and UTF-16 (XML 1.0 section 4.3.3), and this one ISO-8859-1.

    Args:
        body: the body of the request.
        most_elements: how many elements it may have.

    Raises:
        BodyRefusedError: it is malformed or beyond a limit (400), names an external entity (403,
            RFC 4918 section 16), or has another encoding (415).
    """
    usual = _USUAL.match(body)
    text = body if usual else _as_utf8(body)
    if usual and _is_within_limits(text, usual.end(), most_elements):
        root = _tree(text)
        _check_depth(root)
        return root
    _Scan(text, most_elements).run()
    return _tree(text)


def _as_utf8(body: bytes) -> bytes:
    """Return a body in UTF-8, by its byte order mark or its declaration."""
    if body.startswith(codecs.BOM_UTF8):
        return body[len(codecs.BOM_UTF8) :]
    try:
        if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return body.decode("utf-16").encode("utf-8")
    except UnicodeDecodeError:
        _refuse("it is not UTF-16, as its beginning says")
    declared = _ENCODING.match(body)
    encoding = declared[1].lower() if declared else b"utf-8"
    if encoding in _UTF_8:
        return body
    if encoding in _LATIN_1:
        return body.decode("latin-1").encode("utf-8")
    why = "XML of a request is read in UTF-8, UTF-16 with a byte order mark, or ISO-8859-1"
    raise BodyRefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, why)


def _is_within_limits(text: bytes, begin: int, most_elements: int) -> bool:
    """Return True if octets alone show that every limit but the depth is kept.

    That is so with few tags, few and short attributes, and nothing but elements and text, and it is
    found much faster than by a parser. An "=" of a text counts as an attribute.

    Args:
        text: in UTF-8.
        begin: the place behind the declaration.
        most_elements: how many elements it may have.
    """
    # Looking for one octet is faster than looking for two.
    if (b"!" in text and b"<!" in text) or (
        text.find(b"?", begin) >= 0 and text.find(b"<?", begin) >= 0
    ):
        return False
    if len(text) <= _SHORT:
        return True
    count, place = 0, text.find(b"=", begin)
    while place >= 0:
        count += 1
        if count > limits.MAX_ATTRIBUTES or not _SHORT_ATTRIBUTE.match(text, place):
            return False
        place = text.find(b"=", place + 1)
    return len(text) <= 4 * most_elements or text.count(b"<") <= most_elements


def _tree(text: bytes) -> ET.Element:
    parser = ET.XMLParser(encoding="utf-8")  # noqa: S314 - without a document type: see parse
    try:
        parser.feed(text)
        root: ET.Element = parser.close()
    except ET.ParseError as error:
        _refuse(f"malformed: {error}")
    return root


def _check_depth(root: ET.Element) -> None:
    # Most bodies have few elements beside the root's children: no look at each is needed.
    if len(list(root.iter())) - len(root) < limits.MAX_DEPTH:
        return
    level = [root]
    for _ in range(limits.MAX_DEPTH):
        level = [child for element in level if len(element) for child in element]
        if not level:
            return
    _refuse(f"more than {limits.MAX_DEPTH} elements within each other", Limit.XML_DEPTH)


def _refuse(why: str, limit: Limit | None = None) -> NoReturn:
    raise BodyRefusedError(HTTPStatus.BAD_REQUEST, f"the XML of the request: {why}", limit=limit)


class _Scan:
    """One pass over a text that counts and keeps nothing, and stops at the first limit.

    Args:
        text: in UTF-8.
        most_elements: how many elements it may have.
    """

    def __init__(self, text: bytes, most_elements: int) -> None:
        self._text = text
        self._most_elements = most_elements
        self._depth = self._elements = self._attributes = 0

    def run(self) -> None:
        """Count the whole text.

        Raises:
            BodyRefusedError: it is malformed or beyond a limit.
        """
        # Without namespaces: a name costs its own length.
        parser = expat.ParserCreate("utf-8")
        parser.ordered_attributes = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._doctype
        parser.CommentHandler = parser.ProcessingInstructionHandler = self._other
        parser.StartCdataSectionHandler = self._other
        try:
            for begin in range(0, len(self._text), _BLOCK):
                block = self._text[begin : begin + _BLOCK]
                parser.Parse(block, begin + _BLOCK >= len(self._text))
                if begin + len(block) - parser.CurrentByteIndex > limits.MAX_MARKUP:
                    _refuse(
                        f"a tag or comment of more than {limits.MAX_MARKUP} octets",
                        Limit.XML_MARKUP,
                    )
        except expat.ExpatError as error:
            _refuse(f"malformed: {error}")

    def _start(self, name: str, attributes: list[str]) -> None:
        self._other(name)
        self._depth += 1
        self._attributes += len(attributes) // 2
        if self._depth > limits.MAX_DEPTH:
            _refuse(f"more than {limits.MAX_DEPTH} elements within each other", Limit.XML_DEPTH)
        if len(attributes) // 2 > limits.MAX_ATTRIBUTES:
            _refuse(
                f"more than {limits.MAX_ATTRIBUTES} attributes of one element", Limit.XML_ATTRIBUTES
            )
        if self._attributes > limits.MAX_ATTRIBUTES_IN_ALL:
            _refuse(f"more than {limits.MAX_ATTRIBUTES_IN_ALL} attributes", Limit.XML_ATTRIBUTES)
        if len(name) > limits.MAX_NAME:
            _refuse(f"a name of more than {limits.MAX_NAME} characters", Limit.XML_NAMES)
        for key, value in zip(attributes[::2], attributes[1::2], strict=True):
            if len(key) > limits.MAX_NAME or (
                key.startswith("xmlns") and len(value) > limits.MAX_NAME
            ):
                _refuse(
                    f"a name or namespace of more than {limits.MAX_NAME} characters",
                    Limit.XML_NAMES,
                )

    def _end(self, _name: str) -> None:
        self._depth -= 1

    def _other(self, *_: str) -> None:
        self._elements += 1
        if self._elements > self._most_elements:
            _refuse(f"more than {self._most_elements} elements", Limit.XML_ELEMENTS)

    def _doctype(self, *_: object) -> NoReturn:
        """Refuse a document type: entities and defaults of attributes cost more than their text."""
        why = "the XML of a request has a document type declaration"
        if b"SYSTEM" in self._text or b"PUBLIC" in self._text:
            raise BodyRefusedError(HTTPStatus.FORBIDDEN, why, "D:no-external-entities")
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, why)
