"""What clients ask all day, answered without Radicale; whatever is otherwise is left to it."""

from __future__ import annotations

import logging
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from radicale.app.base import _check_path_format, _check_user_format
from radicale.log import logger as radicale_log
from radicale.pathutils import is_safe_path_component

from kalends.caldav import answers
from kalends.caldav.body import put_back, read_body
from kalends.caldav.delete import delete_object
from kalends.caldav.grant import Grant
from kalends.caldav.put import Put
from kalends.caldav.reads import Reads
from kalends.caldav.request import Answer, Request
from kalends.caldav.shapes import read_propfind, read_report
from kalends.caldav.xmlbody import parse
from kalends.rights import Rights
from kalends.storage import Storage

_log = logging.getLogger("kalends.caldav")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the configuration says of requests, under Radicale's names for it."""

    max_content_length: int
    max_resource_size: int
    strict_preconditions: bool
    validate_user_value: str
    validate_path_value: str
    urldecode_username: bool


class Frequent:
    """The frequent requests, behind the same checks of user, path and rights as all others.

    Args:
        storage: the store.
        rights: who may do what.
        reads: answers those that change nothing.
        limits: what the configuration says.
    """

    def __init__(self, storage: Storage, rights: Rights, reads: Reads, limits: Limits) -> None:
        self._storage = storage
        self._rights = rights
        self._reads = reads
        self._limits = limits
        self._handlers: dict[str, Callable[[Request], Answer | None]] = {
            "PROPFIND": self._propfind,
            "REPORT": self._report,
            "GET": reads.get,
            "HEAD": reads.get,
            "PUT": self._put,
            "DELETE": self._delete,
        }

    def answer(self, request: Request) -> Answer | None:
        """Answer a request; None leaves it to Radicale, as it came."""
        handler = self._handlers.get(request.method)
        if handler is None or request.environ.get("QUERY_STRING") or not self._admits(request):
            return None
        began = time.perf_counter()
        try:
            answer = handler(request)
        except answers.FAILURES as error:
            answer = answers.as_answer(answers.failed(error))
        except Exception:  # noqa: BLE001 - a bug of ours is a traceback in the log and a 500
            _log.exception("an error of ours in a %s of %r", request.method, request.path)
            answer = answers.as_answer(answers.plain(HTTPStatus.INTERNAL_SERVER_ERROR))
        if answer is not None:
            radicale_log.info(
                "%s response status for %r in %.3f seconds: %d %s",
                request.method,
                request.path,
                time.perf_counter() - began,
                answer.status.value,
                answer.status.phrase,
            )
        return answer

    def _admits(self, request: Request) -> bool:
        limits, storage = self._limits, self._storage
        return (
            request.is_sane
            and is_safe_path_component(request.user)
            and (
                (request.path.isprintable() and limits.validate_path_value == "none")
                or _check_path_format(storage, request.path, limits.validate_path_value)
            )
            and _check_user_format(
                storage, request.user, limits.validate_user_value, limits.urldecode_username
            )
        )

    def _propfind(self, request: Request) -> Answer | None:
        root = self._xml(request)
        asked = read_propfind(root) if root is not None else None
        return self._reads.propfind(request, asked) if asked else None

    def _report(self, request: Request) -> Answer | None:
        root = self._xml(request)
        asked = read_report(root) if root is not None else None
        return self._reads.report(request, asked) if asked else None

    def _put(self, request: Request) -> Answer | None:
        grant = Grant.of(self._rights, request.user, request.path)
        if not grant.may_write or not grant.path:
            return None
        put = Put(
            self._storage,
            grant,
            request.environ,
            request.prefix,
            max_size=self._limits.max_resource_size,
            strict=self._limits.strict_preconditions,
        )
        target = put.look()
        if target.parent is None:
            return None
        body = read_body(request.environ, self._limits.max_content_length)
        return answers.as_answer(put.answer(body, target))

    def _delete(self, request: Request) -> Answer | None:
        grant = Grant.of(self._rights, request.user, request.path)
        return delete_object(self._storage, request) if "w" in grant.above else None

    def _xml(self, request: Request) -> ET.Element | None:
        """The XML of a request, which may be read again after this."""
        body = read_body(request.environ, self._limits.max_content_length)
        put_back(request.environ, body)
        return parse(body)
