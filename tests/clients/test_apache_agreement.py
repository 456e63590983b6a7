"""Comparison of login verdicts of a real Apache and Kalends on the same user files.

The variable KALENDS_EXAMPLES sets the number of files in each test.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from support.agreement import (
    GROUPS,
    REALMS,
    ApacheJudge,
    Denied,
    KalendsJudge,
    RunningKalends,
    Tally,
    request,
)
from support.differences import basic_differences, digest_differences, group_differences
from support.loginheaders import basic_headers, digest_attempts
from support.userfiles import htdigest_files, htgroup_files, htpasswd_files

EXAMPLES = int(os.environ.get("KALENDS_EXAMPLES", "500"))
sampled = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def apache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheJudge]:
    judge = ApacheJudge(tmp_path_factory.mktemp("agreement"))
    yield judge
    judge.server.close()


@pytest.fixture(scope="module")
def kalends(
    apache: ApacheJudge, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KalendsJudge]:
    judge = KalendsJudge(apache, tmp_path_factory.mktemp("kalends"))
    yield judge
    judge.close()


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Keep thousands of failed logins out of the captured log."""
    caplog.set_level(logging.CRITICAL, "kalends.htauth")


def test_verdicts_on_passwords_agree(apache: ApacheJudge, kalends: KalendsJudge) -> None:
    tally = Tally()

    @sampled
    @given(st.data())
    def agree(data: st.DataObject) -> None:
        file, logins = data.draw(htpasswd_files(), "file")
        apache.htpasswd.write_bytes(file)
        site = kalends.basic()
        for headers in data.draw(st.lists(basic_headers(logins), min_size=2, max_size=6)):
            sent = request(b"/basic/", apache.host, headers)
            note(repr(headers))
            tally.compare(
                apache.ask(sent), kalends.ask(site, sent), basic_differences(file, headers)
            )

    agree()
    tally.assert_conclusive(0.1)


def test_verdicts_on_digests_agree(apache: ApacheJudge, kalends: KalendsJudge) -> None:
    tally = Tally()
    realms = [realm.encode() for realm in REALMS]
    host = apache.host.encode()

    @sampled
    @given(st.data())
    def agree(data: st.DataObject) -> None:
        file, logins = data.draw(htdigest_files(realms), "file")
        apache.htdigest.write_bytes(file)
        number = data.draw(st.sampled_from([0, 0, 1]))
        site = kalends.digest(REALMS[number])
        place = f"/digest{number}/".encode()
        known = [login for login in logins if login.realm == realms[number]] or logins
        attempts = digest_attempts(known, realms[number], place, host)
        for attempt in data.draw(st.lists(attempts, min_size=2, max_size=6)):
            for_apache = attempt.header(apache.nonce(place))
            for_kalends = attempt.header(kalends.nonce(site))
            note(repr(for_apache))
            tally.compare(
                apache.ask(request(attempt.target, apache.host, [for_apache])),
                kalends.ask(site, request(attempt.target, apache.host, [for_kalends])),
                digest_differences(file, attempt),
            )

    agree()
    tally.assert_conclusive(0.1)


MEMBERS = [
    *(b"alice", b"bob", b"alice smith", b'al"ice', b"dom\\alice", "ålice".encode(), b"x,y"),
    "ålice".encode("latin-1"),
]


def test_verdicts_on_groups_agree(apache: ApacheJudge, kalends: KalendsJudge) -> None:
    tally = Tally()
    field = b":{SHA}" + base64.b64encode(hashlib.sha1(b"secret").digest())
    apache.members.write_bytes(b"".join(name + field + b"\n" for name in MEMBERS))
    groups = [group.encode() for group in GROUPS]

    @sampled
    @given(st.data())
    def agree(data: st.DataObject) -> None:
        users = data.draw(st.permutations(MEMBERS), "users")[:3]
        file = data.draw(htgroup_files(groups, users), "file")
        apache.htgroup.write_bytes(file)
        for user in users:
            header = b"Basic " + base64.b64encode(user + b":secret")
            held = {group.encode().lower() for group in kalends.groups_of(user)}
            for number, group in enumerate(groups):
                note(f"{user!r} in {group!r}")
                tally.compare(
                    apache.ask(request(f"/group{number}/".encode(), apache.host, [header])),
                    user if group.lower() in held else Denied("401"),
                    group_differences(file, user),
                )

    agree()
    tally.assert_conclusive(0.05)


@pytest.fixture(scope="module")
def running(
    apache: ApacheJudge, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningKalends]:
    apache.htpasswd.write_bytes(b"")
    apache.htdigest.write_bytes(b"")
    judge = RunningKalends(apache, tmp_path_factory.mktemp("running"))
    yield judge
    judge.server.close()


def test_the_longest_authorization_line_is_the_same(
    apache: ApacheJudge, running: RunningKalends
) -> None:
    apache.htpasswd.write_bytes(b"alice:{SHA}" + base64.b64encode(hashlib.sha1(b"secret").digest()))
    encoded = base64.b64encode(b"alice:secret")
    verdicts = []
    for length in range(8187, 8196):
        blanks = b" " * (length - len(b"Authorization: Basic ") - len(encoded))
        header = b"Basic " + blanks + encoded
        sent = request(b"/basic/", apache.host, [header], running.client())
        denied = [isinstance(judge.ask(sent), Denied) for judge in (apache, running)]
        assert denied[0] == denied[1], length
        verdicts.append(denied[0])
    assert len(set(verdicts)) == 2


def test_verdicts_of_a_running_server_agree(apache: ApacheJudge, running: RunningKalends) -> None:
    """Failed logins are delayed, so this is a sample; each example has other names."""
    tally = Tally()
    numbers = itertools.count()
    place, realm, host = b"/digest0/", REALMS[0].encode(), apache.host.encode()

    @settings(sampled, max_examples=min(EXAMPLES, 250))
    @given(st.data())
    def agree(data: st.DataObject) -> None:
        # All prefixes have one length, because the examples of Hypothesis depend on it.
        prefix = b"%06d-" % next(numbers)
        file, logins = data.draw(htpasswd_files(prefix), "htpasswd")
        digests, digest_logins = data.draw(htdigest_files([realm], prefix), "htdigest")
        apache.htpasswd.write_bytes(file)
        apache.htdigest.write_bytes(digests)
        for headers in data.draw(st.lists(basic_headers(logins, prefix), min_size=1, max_size=3)):
            sent = request(b"/basic/", apache.host, headers, running.client())
            tally.compare(apache.ask(sent), running.ask(sent), basic_differences(file, headers))
        attempt = data.draw(digest_attempts(digest_logins, realm, place, host, prefix))
        tally.compare(
            apache.ask(request(attempt.target, apache.host, [attempt.header(apache.nonce(place))])),
            running.ask(
                request(
                    attempt.target,
                    apache.host,
                    [attempt.header(running.nonce(place, apache.host))],
                    running.client(),
                )
            ),
            digest_differences(digests, attempt),
        )

    agree()
    tally.assert_conclusive(0.05)
