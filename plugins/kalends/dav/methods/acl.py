"""ACL, which changes nothing (RFC 3744 section 8.1)."""

from __future__ import annotations

from http import HTTPStatus

from radicale.xmlutils import make_clark

from kalends.dav import errors
from kalends.dav.context import Reading
from kalends.dav.message import Response
from kalends.dav.xml.parts import parse_request
from kalends.errors import BodyRefusedError


def acl(call: Reading) -> Response:
    """Refuse to change who may do what: all entries are protected (section 8.1.1).

    Raises:
        BodyRefusedError: the body is not an acl (400).
    """
    if not call.body or parse_request(call.body).tag != make_clark("D:acl"):
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "the XML is not an acl")
    why = "who may do what is the server's to say: owners everything, members of a group its home"
    answer = errors.precondition(HTTPStatus.FORBIDDEN, "D:no-protected-ace-conflict", why)
    return errors.as_answer(answer)
