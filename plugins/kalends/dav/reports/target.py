"""The resource that a report is sent to, and what the report may cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from http import HTTPStatus
from itertools import count

from sqlalchemy import Connection

from kalends.common.budget import USUAL_STEPS, Budget, Steps
from kalends.dav.calendar_data import DataRenderer
from kalends.dav.message import Request
from kalends.dav.properties.object import ObjectsView
from kalends.dav.properties.view import CollectionView
from kalends.dav.reader import Reader
from kalends.dav.reports.wanted import WantedProperties
from kalends.dav.xml.limits import MAX_HREFS
from kalends.errors import BodyRefusedError, ObjectRefusedError, ReportRefusedError
from kalends.ical.timezones.resolve import timezone_from_calendar
from kalends.ical.timezones.setting import read_timezone_setting
from kalends.limit_names import Limit
from kalends.store.objects import read
from kalends.store.objects.read import ObjectRow


@dataclass(frozen=True, slots=True)
class ReportLimits:
    """The limits of reports.

    Attributes:
        expanded: the most instances of all objects, with ``expand``; 0 leaves it to the steps.
        busy: the same of each object, for busy times.
        hrefs: the most hrefs of a multiget.
        steps: the sizes of the budgets.
    """

    expanded: int
    busy: int
    hrefs: int = MAX_HREFS
    steps: Steps = USUAL_STEPS


@dataclass(frozen=True, slots=True)
class ReportTarget:
    """The collection or object that a report is sent to, in one snapshot.

    Attributes:
        request: the request.
        connection: the snapshot.
        view: the collection, or that of the object.
        name: the name of the object; None for the collection.
        limits: the configured limits.
        reader: access to the store.
        budget: the limit of the work on all objects.
    """

    request: Request
    connection: Connection
    view: CollectionView
    name: str | None
    limits: ReportLimits
    reader: Reader
    budget: Budget

    def objects(self, wanted: WantedProperties, zone: tzinfo, *, is_query: bool) -> ObjectsView:
        """Return the view of objects that shows the wanted properties.

        Args:
            wanted: the properties.
            zone: the time zone for times without one.
            is_query: True if an object without an instance in the range of ``expand`` is left out.
        """
        render = None
        if not wanted.data.is_whole:
            instances = counter(self.limits.expanded)
            render = DataRenderer(
                wanted.data, zone, self.budget, instances, keep_empty=not is_query
            ).render
        return ObjectsView(
            self.view,
            wanted.tags,
            in_report=True,
            render=render,
            names_only=wanted.names_only,
            all_dead=wanted.all_dead,
        )

    def zone(self, timezone: str | None = None) -> tzinfo:
        """Return the zone of times without one (RFC 4791 sections 5.2.2 and 9.8).

        Args:
            timezone: the ``timezone`` of the report.

        Raises:
            ReportRefusedError: that one is not a VCALENDAR with one valid VTIMEZONE.
        """
        if timezone is not None:
            try:
                return read_timezone_setting(timezone)
            except ObjectRefusedError as error:
                raise ReportRefusedError("C:valid-calendar-data", error.why) from error
        text = self.view.row.props.get("C:calendar-timezone")
        return (timezone_from_calendar(text) if text else None) or UTC

    def includes_members(self) -> bool:
        """Return True if the report is about the objects of the collection, too.

        Without Depth it is: many clients leave it out, although it would be 0 (RFC 4791 section
        7.8, RFC 6352 section 8.6). Windows' client writes 0 and means 1.

        Raises:
            BodyRefusedError: the Depth is not one (400).
        """
        depth = (self.request.header("HTTP_DEPTH") or "1").strip().lower()
        if depth not in ("0", "1", "infinity"):
            raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "Depth is not 0, 1 or infinity.")
        agent = self.request.header("HTTP_USER_AGENT") or ""
        return self.name is None and (depth != "0" or agent.startswith("MSFT-"))

    def members(self, tag: str | None = None) -> list[ReportTarget]:
        """Return the collections in this one that the user may read, each as a target.

        Args:
            tag: the only tag of collections to return; None for all.
        """
        found = []
        for row in self.reader.members(self.connection, self.request, self.view.row):
            view = self.reader.view(self.connection, self.request, row)
            if view is not None and tag in (None, row.tag):
                found.append(replace(self, view=view))
        return found

    def leaves(self, tag: str | None = None) -> list[ReportTarget]:
        """Return the calendars and address books that a report is about.

        Those of a home are below it; Depth 1 does not reach their objects (RFC 4791 section 7.8),
        but programs mean them.

        Args:
            tag: the only tag of collections to return; None for both.
        """
        if self.view.row.tag:
            return [self]
        depth = (self.request.header("HTTP_DEPTH") or "infinity").strip()
        return [] if depth == "0" else self.members(tag)

    def named_object(self) -> Iterator[ObjectRow]:
        """Yield the object that the report is sent to, with its octets."""
        names = [] if self.name is None else [self.name]
        return read.objects_named(self.connection, self.view.row.id, names, data=True)


def counter(most: int) -> Callable[[], None]:
    """Return a function that may be called so many times, any number of times if that is 0."""
    calls = count(1)

    def step() -> None:
        if next(calls) > most > 0:
            raise ReportRefusedError(
                "C:max-instances",
                f"more than {most} instances; ask for a shorter time range",
                limit=Limit.INSTANCES,
            )

    return step
