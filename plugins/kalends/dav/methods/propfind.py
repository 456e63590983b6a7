"""PROPFIND of collections and objects (RFC 4918 section 9.1)."""

from __future__ import annotations

from http import HTTPStatus

from kalends.dav.answer_budget import AnswerBudget
from kalends.dav.context import Reading
from kalends.dav.message import DAV, Response
from kalends.dav.preferences import Preferences
from kalends.dav.properties.collection import names_of
from kalends.dav.properties.object import ALL_PROPERTIES, EVERY_PROPERTY, ObjectsView
from kalends.dav.properties.view import CollectionView
from kalends.dav.reader import multistatus, response_buffer, write_all_objects
from kalends.dav.resource import Kind
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.dav.xml.requests import Propfind, read_propfind
from kalends.errors import BodyRefusedError
from kalends.limit_names import Limit


def propfind(call: Reading) -> Response:
    """Return the properties of a collection or an object, and of its members.

    Raises:
        BodyRefusedError: the Depth or the body is invalid, or the answer is too large.
    """
    depth = _depth(call)
    with response_buffer(call.request) as buffer:
        finding = _Propfind(call, read_propfind(call.body), buffer)
        buffer.write(write.MULTISTATUS)
        try:
            finding.write(depth)
        except BodyRefusedError as error:
            if depth == "infinity" and error.limit is Limit.ANSWER:
                raise _too_deep() from error
            raise
        buffer.write(write.MULTISTATUS_END)
        met = Preferences.of(call.request.environ).headers(is_listing=True)
        return multistatus(buffer, {**DAV, **met})


def _depth(call: Reading) -> str:
    """Return the Depth, which is infinity if it is not stated (RFC 4918 section 9.1).

    A request without Depth is a person's, as with curl, and is answered as far as its limit goes;
    one that states infinity is a program's, and is refused at a collection.
    """
    stated = call.request.header("HTTP_DEPTH")
    depth = "infinity" if stated is None else stated.strip().lower()
    if depth not in ("0", "1", "infinity"):
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "Depth is not 0, 1 or infinity.")
    if stated is not None and depth == "infinity" and call.resource.row is not None:
        raise _too_deep()  # what asks for it does not know how much it is (section 9.1.1)
    return depth


def _too_deep() -> BodyRefusedError:
    return BodyRefusedError(
        HTTPStatus.FORBIDDEN,
        "the answer is too large; ask with Depth 1",
        "D:propfind-finite-depth",
        limit=Limit.ANSWER,
    )


class _Propfind:
    """One PROPFIND, written to a buffer as it is found."""

    def __init__(self, call: Reading, asked: Propfind, buffer: ResponseBuffer) -> None:
        self._call = call
        self._reader = call.context.reader
        self._asked = asked
        self._buffer = buffer
        self._budget = AnswerBudget()

    def write(self, depth: str) -> None:
        """Write the responses of the resource and its members."""
        call = self._call
        view = self._reader.view_of(call.request, call.resource, call.connection)
        if call.resource.object is not None:
            self._buffer.write(self._objects(view).response(call.resource.object))
            return
        if depth == "0" or not Preferences.of(call.request.environ).is_rootless:
            self._write_collection(view)
        if depth != "0":
            self._write_members(view, deeper=depth == "infinity")

    def _write_collection(self, view: CollectionView) -> None:
        asked = self._asked
        tags = asked.props
        if tags is None:
            named = names_of(view, in_allprop=not asked.names_only)
            tags = tuple(dict.fromkeys((*named, *asked.include)))
        if asked.names_only:
            found = write.response(view.href(view.path), "".join(map(write.element, tags)), "")
        else:
            found = self._reader.responses.response(view, tags)
        self._budget.spend(len(found))
        self._buffer.write(found)

    def _write_members(self, view: CollectionView, *, deeper: bool) -> None:
        call = self._call
        if view.row.tag or view.kind is Kind.FOLDER:
            write_all_objects(call.connection, view, self._objects(view), self._buffer)
        for child in self._reader.members(call.connection, call.request, view.row):
            found = self._reader.view(call.connection, call.request, child)
            if found:
                self._write_collection(found)
                if deeper:
                    self._write_members(found, deeper=True)

    def _objects(self, view: CollectionView) -> ObjectsView:
        asked = self._asked
        tags = asked.props
        if tags is None:
            tags = (*(EVERY_PROPERTY if asked.names_only else ALL_PROPERTIES), *asked.include)
        return ObjectsView(
            view,
            tuple(dict.fromkeys(tags)),
            in_report=False,
            names_only=asked.names_only,
            all_dead=asked.props is None,
            budget=self._budget,
        )
