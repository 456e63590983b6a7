"""REPORT on a calendar or address book: the choice of the report."""

from __future__ import annotations

from kalends.dav.message import Request, Response
from kalends.dav.properties.object import ObjectsView
from kalends.dav.reader import Reader, multistatus, response_buffer
from kalends.dav.reports.calendar_query import write_calendar_query
from kalends.dav.reports.multiget import write_multiget
from kalends.dav.reports.sync_collection import write_sync_collection
from kalends.dav.xml import write
from kalends.dav.xml.requests import Multiget, Report, SyncCollection


def report(reader: Reader, request: Request, asked: Report) -> Response | None:
    """Answer a report; None leaves the request to Radicale."""
    with response_buffer(request) as buffer, reader.snapshot() as connection:
        view = reader.view_at(connection, request, request.sane)
        if view is None:
            return None
        buffer.write(write.MULTISTATUS)
        objects = ObjectsView(view, asked.props, in_report=True)
        if isinstance(asked, SyncCollection):
            found = write_sync_collection(connection, view, objects, asked, buffer)
        elif isinstance(asked, Multiget):
            found = write_multiget(connection, view, objects, asked, buffer)
        else:
            found = write_calendar_query(connection, view, objects, asked, buffer)
        buffer.write(write.MULTISTATUS_END)
        return multistatus(buffer) if found else None
