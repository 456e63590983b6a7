"""Each limit refuses with its own status and element, and `/.metrics` counts it by its name."""

from __future__ import annotations

import http.client
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kalends.limit_names import Limit
from support.awaiting import await_that
from support.installation import event
from support.limits import BEYOND, Beyond
from support.process import ReservedPort
from support.server import KalendsServer

METRIC = "kalends_refused_by_limit_total"


@pytest.fixture(scope="module")
def admin_port() -> Iterator[int]:
    reserved = ReservedPort()
    yield reserved.number
    reserved.release()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, admin_port: int) -> Iterator[KalendsServer]:
    running = KalendsServer(
        tmp_path_factory.mktemp("limits"),
        users={"alice": "wonderland"},
        options={"kalends": {"admin_hosts": f"127.0.0.1:{admin_port}"}},
    )
    running.request("PROPFIND", "/alice/", user="alice")
    daily = event("daily", "20260105T090000Z", "RRULE:FREQ=DAILY")
    running.request("PUT", "/alice/calendar/daily.ics", user="alice", body=daily)
    yield running
    running.close()


def refusals(admin_port: int) -> dict[str, float]:
    connection = http.client.HTTPConnection("127.0.0.1", admin_port, timeout=60)
    connection.request("GET", "/.metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return {
        sample.labels["limit"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == METRIC
    }


@pytest.mark.parametrize("beyond", BEYOND, ids=lambda beyond: beyond.limit.value)
def test_a_refusal_is_counted_once_by_the_name_of_its_limit(
    server: KalendsServer, admin_port: int, beyond: Beyond
) -> None:
    before = refusals(admin_port)
    answer = server.request(
        beyond.method, beyond.path, user="alice", body=beyond.body, headers=beyond.headers
    )
    assert answer.status == beyond.status
    if beyond.element:
        assert ET.fromstring(answer.body)[0].tag == beyond.element
    due = before | {beyond.limit.value: before.get(beyond.limit.value, 0) + 1}
    await_that(lambda: refusals(admin_port) == due, lambda: refusals(admin_port))


def test_the_labels_are_the_names_of_limits(admin_port: int, server: KalendsServer) -> None:
    assert set(refusals(admin_port)) <= {limit.value for limit in Limit}
