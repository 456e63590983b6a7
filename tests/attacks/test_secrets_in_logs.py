"""Secrets of feed addresses in the log: masked however the address is spelt."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from support.server import KalendsServer, basic

SECRET = "Ab3_-xYzAb3_-xYzAb3_-xYzAb3_-xYz"
FEEDS = """
[feed.family]
calendars = ["*/*"]
access = "secret"
"""
TARGETS = [
    "/feeds/s/{}/family.ics",
    "/feeds/./s/{}/family.ics",
    "/feeds//s/{}/family.ics",
    "//feeds/s/{}/family.ics",
    "/feeds/x/../s/{}/family.ics",
    "/FEEDS/S/{}/family.ics",
    "/feeds/s;v=1/{};w/family.ics",
    "/%66eeds/%2e/s/{}/family.ics",
    "/dav/feeds/s/{}/family.ics",
    "/feeds%2Fs%2F{}%2Ffamily.ics",
    "/{}/family.ics",
    "/feeds/s/{}",
    "http://h/feeds/s/{}/family.ics",
    "/.web/feeds/s/{}/family.ics",
    "/.well-known/s/{}/family.ics",
    "/feeds/family.ics?secret={}",
]
FORMS = [
    SECRET,
    "%41" + SECRET[1:],
    "%2541" + SECRET[1:],
    "".join(f"%{ord(character):02X}" for character in SECRET),
]


@pytest.fixture(params=["text", "json"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KalendsServer]:
    running = KalendsServer(
        tmp_path / "server",
        users={"alice": "wonderland"},
        feeds=FEEDS,
        options={
            "logging": {"level": "debug", "format": request.param},
        },
    )
    yield running
    running.close()


def test_no_secret_is_in_the_log(server: KalendsServer) -> None:
    methods = ("GET", "PROPFIND")
    agent = f"Calendar (http://h/feeds/./s/{SECRET}/family.ics)"
    with (
        socket.create_connection((server.host, server.port), timeout=60) as connection,
        connection.makefile("rb") as answers,
    ):
        for target in TARGETS:
            for form in FORMS:
                for method in methods:
                    address = target.format(form)
                    connection.sendall(
                        f"{method} {address} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n"
                        f"Authorization: {basic('alice', 'wonderland')}\r\n"
                        f"Destination: http://h{target.format(form)}\r\n"
                        f"Referer: http://h{target.format(form)}\r\n"
                        f"User-Agent: {agent}\r\n\r\n".encode()
                    )
                    read_answer(answers)
    server.stop()
    assert server.log.count("***") >= len(TARGETS)
    for spelling in (SECRET, SECRET[1:], FORMS[-1], FORMS[-1][-30:]):
        assert spelling not in server.log


def read_answer(answers: BinaryIO) -> None:
    """Read one answer from a connection that is kept."""
    length = 0
    for line in iter(answers.readline, b"\r\n"):
        assert line, "the connection was closed"
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    answers.read(length)
