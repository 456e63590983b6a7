"""Login state that hosts share in a database, compared with the files and memory of one host."""

from __future__ import annotations

import itertools
import random
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kalends.authn.nonces.replay_cache import SharedNonceCounts
from kalends.authn.nonces.signing import Nonce, NonceSigner
from kalends.authn.shared_state import DatabaseAuthState
from kalends.authn.throttle import FREE_FAILURES, Throttle
from kalends.errors import StoreUnavailableError
from kalends.store.cluster_state import SharedLoginAttempts, SharedNonceUses, Statements, shared_key
from kalends.store.engine import Database, open_database
from support.awaiting import await_that
from support.postgres import PostgresServer

NOW = 1_790_000_000.0


def mac(number: int) -> bytes:
    return struct.pack(">QQI", number, number, 0)


@pytest.fixture
def pair(postgres: PostgresServer) -> Iterator[list[Statements]]:
    """Open one store twice, as two hosts do."""
    url = postgres.store()
    opened = [open_database(url), open_database(url)]
    yield [statements_of(database) for database in opened]
    for database in opened:
        database.close()


def statements_of(database: Database) -> Statements:
    assert database.statements
    return database.statements


def test_hosts_share_one_key(pair: list[Statements]) -> None:
    keys: list[bytes] = []
    threads = [threading.Thread(target=lambda s=s: keys.append(shared_key(s))) for s in pair * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32


def test_the_database_agrees_with_the_table_of_one_host(
    pair: list[Statements], tmp_path: Path
) -> None:
    """The counts have leaps and gaps, are near the window's edge, and come from either host."""
    dice = random.Random(7)
    hosts = [SharedNonceUses(statements, lambda: NOW) for statements in pair]
    table = SharedNonceCounts(tmp_path / "counts", NOW, boot="this")
    highest = dict.fromkeys(range(8), 1)
    for _ in range(1500):
        number = dice.randrange(8)
        near = highest[number] + dice.choice((1, 1, 2, 0, -1, -62, -63, -64, -65, 63, 64, 65, 200))
        count = max(1, near if dice.random() < 0.8 else dice.randrange(1, highest[number] + 3))
        highest[number] = max(highest[number], count)
        expected = table.use(Nonce(NOW + 1, mac(number), True), count).name
        issued = round((NOW + 1) * 1000)
        assert dice.choice(hosts).use(mac(number), issued, count) == expected, (number, count)
    top = 2**32 - 1
    assert [hosts[n % 2].use(mac(0), issued, top) for n in range(2)] == ["FIRST", "AGAIN"]
    table.close()


def test_a_count_used_by_several_hosts_at_once_is_accepted_once(
    pair: list[Statements],
) -> None:
    hosts = [SharedNonceUses(statements, lambda: NOW) for statements in pair * 2]
    together = threading.Barrier(len(hosts))
    outcomes: list[list[str]] = [[] for _ in hosts]

    def use(which: int) -> None:
        for number in range(50):
            together.wait(30)
            outcomes[which].append(hosts[which].use(mac(1), round((NOW + 1) * 1000), number + 1))

    threads = [threading.Thread(target=use, args=(which,)) for which in range(len(hosts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for outcome in zip(*outcomes, strict=True):
        assert sorted(outcome) == ["AGAIN", "AGAIN", "AGAIN", "FIRST"]


def test_earlier_nonces_are_unknown_after_a_crash_of_the_database(tmp_path: Path) -> None:
    running = PostgresServer()
    database = open_database(running.store())
    try:
        clock = [NOW]
        uses = SharedNonceUses(statements_of(database), lambda: clock[0])
        assert uses.use(mac(1), round((NOW + 1) * 1000), 1) == "FIRST"
        running.stop()
        with pytest.raises(StoreUnavailableError):
            uses.use(mac(1), round((NOW + 1) * 1000), 2)
        running.process.start()
        clock[0] = NOW + 3
        assert uses.use(mac(1), round((NOW + 1) * 1000), 1) == "UNKNOWN"
        assert uses.use(mac(2), round((NOW + 2) * 1000), 1) == "UNKNOWN"
        assert uses.use(mac(3), round((NOW + 4) * 1000), 1) == "FIRST"
    finally:
        database.close()
        running.close()


def test_the_first_nonce_issued_after_a_crash_is_valid(pair: list[Statements]) -> None:
    """It is valid on either host, even if their clocks differ; a use or a challenge notices it."""
    signer, salts = NonceSigner(b"key", b"realm"), itertools.count()
    clock = [NOW]
    ahead = SharedNonceUses(pair[0], lambda: clock[0] + 1)
    behind = SharedNonceUses(pair[1], lambda: clock[0])

    def given_out(host: SharedNonceUses) -> tuple[bytes, int]:
        now = clock[0] + (host is ahead)
        nonce = signer.read(signer.issue(now, next(salts), host.floor()).encode())
        assert nonce
        return nonce.mac, round(nonce.issued * 1000)

    earlier = [given_out(ahead), given_out(behind)]
    for noticed_by_use in (True, False):
        assert [ahead.use(*nonce, 1) for nonce in earlier] == ["FIRST"] * len(earlier)
        pair[0].execute("TRUNCATE nonce_floor, nonce_use", {})
        clock[0] += 3
        if noticed_by_use:
            assert ahead.use(*earlier[0], 2) == "UNKNOWN"
        later = [given_out(ahead), given_out(behind)]
        for nonce in later:
            assert [behind.use(*nonce, 2), ahead.use(*nonce, 2)] == ["FIRST", "AGAIN"]
        assert [behind.use(*nonce, 1) for nonce in earlier] == ["UNKNOWN"] * len(earlier)
        earlier = later


def test_old_nonces_are_pruned(pair: list[Statements]) -> None:
    clock = [NOW]
    one = SharedNonceUses(pair[0], lambda: clock[0])
    for number in range(10):
        assert one.use(mac(number), round((NOW + 1 + number) * 1000), 1) == "FIRST"
    clock[0] = NOW + 605
    one.prune()
    one.prune()
    (left,) = pair[0].execute("SELECT count(*) FROM nonce_use", {})[0]
    assert left == 5
    used = [one.use(mac(number), round((NOW + 1 + number) * 1000), 1) for number in range(10)]
    assert used == ["UNKNOWN"] * 5 + ["AGAIN"] * 5


def throttles(pair: list[Statements]) -> list[Throttle]:
    return [
        Throttle(DatabaseAuthState(statements, None).attempts(), lambda _: None)
        for statements in pair
    ]


def test_hosts_count_failed_logins_together(pair: list[Statements]) -> None:
    one, two = throttles(pair)
    for host in (one, two) * FREE_FAILURES:
        host.failed("alice", "192.0.2.1")
    assert [host.delay("alice", "192.0.2.1") for host in (one, two)] == [4.0, 4.0]
    assert [host.delay("alice", "198.51.100.7") for host in (one, two)] == [4.0, 4.0]
    assert [host.delay("bob", "192.0.2.1") for host in (one, two)] == [4.0, 4.0]
    assert [host.delay("bob", "198.51.100.7") for host in (one, two)] == [0.0, 0.0]


def test_a_login_on_one_host_exempts_from_delays_on_the_other(pair: list[Statements]) -> None:
    one, two = throttles(pair)
    one.succeeded("alice", "192.0.2.1")
    for _ in range(2 * FREE_FAILURES):
        two.failed("alice", "203.0.113.5")
    assert [host.delay("alice", "192.0.2.1") for host in (one, two)] == [0.0, 0.0]
    for _ in range(2 * FREE_FAILURES):  # the failures come from alice's own address
        one.failed("alice", "192.0.2.1")
    assert [host.delay("alice", "192.0.2.1") for host in (one, two)] == [4.0, 4.0]


def test_failures_expire(pair: list[Statements]) -> None:
    one, two = (SharedLoginAttempts(statements, seconds_per_failure=0.05) for statements in pair)
    for _ in range(3):
        one.record_failure("alice", "192.0.2.1")
    # The database server's clock decides.
    await_that(lambda: two.pending("alice", "192.0.2.1")[0] == 0)
    assert two.pending("alice", "192.0.2.1") == (0.0, 0.0, 0.0, False)
    one.prune()
    assert pair[0].execute("SELECT count(*) FROM login_try", {}) == [(0,)]


def test_repeated_requests_of_a_client_need_no_statement(pair: list[Statements]) -> None:
    class Counting:
        def __init__(self) -> None:
            self.statements = 0

        def execute(self, text: str, values: object) -> list[tuple[object, ...]]:
            self.statements += 1
            return pair[0].execute(text, values)  # type: ignore[arg-type]

    counting = Counting()
    attempts = SharedLoginAttempts(counting, seconds_per_failure=60)
    for _ in range(20):
        attempts.pending("alice", "192.0.2.1")
        attempts.record_success("alice", "192.0.2.1")
    assert counting.statements == 2
