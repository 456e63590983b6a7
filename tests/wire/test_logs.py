"""The log: lines with request IDs, as text or JSON, in files that may be renamed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.awaiting import await_that
from support.installation import event
from support.server import BIN, KalendsServer, Sections

TRUSTED: Sections = {"kalends": {"trusted_proxies": "127.0.0.1"}}


def served(folder: Path, options: Sections) -> KalendsServer:
    return KalendsServer(folder, users={"alice": "wonderland"}, workers=1, options=options)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[KalendsServer, Path, Path]]:
    """Yield a server that logs JSON into two files, and the files."""
    log, access = tmp_path / "kalends.log", tmp_path / "access.log"
    names = {"format": "json", "file": str(log), "access_file": str(access)}
    server = served(tmp_path / "server", {**TRUSTED, "logging": names})
    yield server, log, access
    server.close()


def objects_in(file: Path) -> list[dict[str, Any]]:
    """Return the lines of a log, except for the request that waits for the server to answer."""
    found = [json.loads(line) for line in file.read_text().splitlines()]
    return [line for line in found if line.get("method") != "OPTIONS" or "agent" in line]


def test_the_answer_and_all_lines_of_a_request_have_the_same_id(tmp_path: Path) -> None:
    server = served(tmp_path, {})
    try:
        sent = {"X-Request-ID": "from-a-stranger"}
        path = "/alice/"
        first = server.request("PROPFIND", path, user="alice", password="wrong", headers=sent)
        second = server.request("PROPFIND", path, user="alice", password="wrong")
        names = [answer.headers["X-Request-ID"] for answer in (first, second)]
        assert len(set(names)) == 2
        server.stop()
        for name in names:
            assert re.fullmatch(r"[0-9a-f]{16}", name)
            failed, answered = (line for line in server.log.splitlines() if name in line)
            if "login failed" not in failed:
                failed, answered = answered, failed
            assert f" WARNING kalends.htauth [{name}]: login failed from 127.0.0.1" in failed
            assert '"PROPFIND /alice/ HTTP/1.1" 401 ' in answered
            assert answered.endswith(f" {name}")
        assert "from-a-stranger" not in server.log
    finally:
        server.close()


@pytest.mark.parametrize(
    ("given", "taken"),
    [("0f/9A.b-c_d=@", True), ("x" * 64, True), ("x" * 65, False), ('a"b', False), ("", False)],
)
def test_a_trusted_proxy_names_its_requests(
    files: tuple[KalendsServer, Path, Path], given: str, taken: bool
) -> None:
    server, _, access = files
    answer = server.request("OPTIONS", "/", headers={"X-Request-ID": given, "User-Agent": "tests"})
    assert (answer.headers.get_all("X-Request-ID") == [given]) is taken
    server.stop()
    (line,) = objects_in(access)
    assert line["request"] == answer.headers["X-Request-ID"]


def test_json_has_the_fields_of_the_text_and_no_secrets(
    files: tuple[KalendsServer, Path, Path],
) -> None:
    server, log, access = files
    server.request("PUT", "/alice/calendar/a.ics", user="alice", body=event("a"))
    name = 'who "are"\nyou'
    answer = server.request("GET", "/alice/", user=name, password="secret-word")
    server.request("GET", "/feeds/s/guessed-secret/family.ics?token=query-secret")
    server.stop()
    # The lines of two connections may be written in either order.
    lines = {line["path"]: line for line in objects_in(access)}
    put, get = lines["/alice/calendar/a.ics"], lines["/alice/"]
    assert (put["method"], put["status"], put["user"]) == ("PUT", 201, "alice")
    assert put["logger"] == "kalends.access"
    assert put["client"] == "127.0.0.1"
    assert isinstance(put["microseconds"], int)
    assert isinstance(put["octets"], int)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", put["time"])
    assert lines.keys() == {"/alice/calendar/a.ics", "/alice/", "/feeds/s/***/family.ics"}
    failed = next(line for line in objects_in(log) if "login failed" in line["message"])
    assert failed["request"] == get["request"] == answer.headers["X-Request-ID"]
    assert (failed["level"], failed["logger"]) == ("WARNING", "kalends.htauth")
    both = log.read_text() + access.read_text() + server.log
    for secret in ("secret-word", "guessed-secret", "query-secret", "wonderland", "Basic "):
        assert secret not in both


def test_renamed_log_files_are_replaced_while_the_server_runs(
    files: tuple[KalendsServer, Path, Path],
) -> None:
    server, log, access = files

    def wrong() -> str:
        answer = server.request("PROPFIND", "/alice/", user="alice", password="wrong")
        name = str(answer.headers["X-Request-ID"])
        # The line may be written after the client has its answer.
        await_that(lambda: access.exists() and name in access.read_text(), lambda: name)
        return name

    first = wrong()
    assert {path.stat().st_mode & 0o777 for path in (log, access)} == {0o640}
    old = [path.rename(path.with_suffix(".1")) for path in (log, access)]
    second = wrong()
    # The signal that log rotation sends to other servers does no harm.
    os.kill(server.process.pid, signal.SIGUSR1)
    third = wrong()
    server.stop()
    for before, now in zip(old, (log, access), strict=True):
        assert [line["request"] for line in objects_in(before)] == [first]
        assert [line["request"] for line in objects_in(now)] == [second, third]


def test_an_access_file_has_the_time_of_each_request(tmp_path: Path) -> None:
    access = tmp_path / "access.log"
    options = {"logging": {"access_file": str(access)}}
    server = KalendsServer(tmp_path, users={"alice": "wonderland"}, options=options)
    try:
        server.request("PROPFIND", "/alice/", user="alice")
        assert server.stop() == 0
    finally:
        server.close()
    form = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \S+ (-|alice) \"[A-Z]+ .*"
    lines = access.read_text().splitlines()
    assert lines
    assert [line for line in lines if not re.fullmatch(form, line)] == []


def test_an_exception_is_one_json_object_with_its_traceback() -> None:
    code = (
        "import logging\nfrom kalends.app.logging_setup import configure_handlers\n"
        "configure_handlers('json', None)\n"
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    logging.getLogger('x').exception('oh')\n"
    )
    command = [str(BIN / "python"), "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    record = json.loads(done.stderr)
    assert record["message"] == "oh"
    assert "ZeroDivisionError" in record["traceback"]
    assert "request" not in record


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ({"format": "xml"}, "neither text nor json"),
        ({"file": "{}/none/x.log"}, "cannot be written"),
    ],
)
def test_a_log_that_cannot_be_configured_is_an_error_of_one_line(
    tmp_path: Path, option: dict[str, str], why: str
) -> None:
    names = {name: value.format(tmp_path) for name, value in option.items()}
    server = KalendsServer(tmp_path, users={"alice": "a"}, options={"logging": names}, start=False)
    command = [str(BIN / "kalends"), "serve", "--config", str(server.config_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert why in done.stderr
    server.close()
