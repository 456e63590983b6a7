"""Parts of a request that do not end: each is refused after a bounded number of octets."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterable, Iterator

import pytest

from kalends.server.http1.body_spool import BodySpoolQuota, RequestRefusedError
from kalends.server.http1.limits import (
    BODY_IN_MEMORY_OCTETS,
    CHUNK_FRAMING_OCTETS,
    HEAD_BLOCK_OCTETS,
    HEAD_OCTETS,
    HEADER_FIELDS,
    TARGET_OCTETS,
)
from kalends.server.http1.parser import MessageReader

BODY_LIMIT = 4 << 20
HEAD = b"PUT /a HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = CHUNKED + b"1\r\nx\r\n0\r\n"
# Refused after so many octets at most. What a block holds is parsed before it is counted.
OF_A_HEAD = HEAD_OCTETS + 2 * HEAD_BLOCK_OCTETS
OF_FRAMING = 2 * CHUNK_FRAMING_OCTETS

ENDLESS = [
    pytest.param(b"", b"\r\n", 431, OF_A_HEAD, id="blank lines"),
    pytest.param(b"", b"\n", 431, OF_A_HEAD, id="bare line ends"),
    pytest.param(b"GET /", b"x", 414, TARGET_OCTETS + OF_A_HEAD, id="target"),
    pytest.param(b"GET", b" ", 431, OF_A_HEAD, id="spaces after the method"),
    pytest.param(HEAD, b"x", 431, OF_A_HEAD, id="name of a field"),
    pytest.param(HEAD + b"X:", b" ", 431, OF_A_HEAD, id="spaces before a value"),
    pytest.param(HEAD + b"X: ", b"y", 431, OF_A_HEAD, id="value"),
    pytest.param(HEAD + b"X: ", b"y ", 431, OF_A_HEAD, id="value of words"),
    pytest.param(HEAD, b"X: y\r\n", 431, OF_A_HEAD, id="fields"),
    pytest.param(HEAD, b"X:\r\n", 431, OF_A_HEAD, id="fields without a value"),
    pytest.param(LAST_CHUNK, b"x", 431, OF_A_HEAD, id="name of a field of the trailer"),
    pytest.param(LAST_CHUNK + b"X: ", b"y", 431, OF_A_HEAD, id="value in the trailer"),
    pytest.param(LAST_CHUNK, b"X: y\r\n", 431, OF_A_HEAD, id="fields of the trailer"),
    pytest.param(CHUNKED, b"0", 431, OF_A_HEAD, id="zeros of a size"),
    pytest.param(CHUNKED + b"1;", b"x", 431, OF_A_HEAD, id="name of an extension"),
    pytest.param(CHUNKED + b"1;x=", b"y", 431, OF_A_HEAD, id="value of an extension"),
    pytest.param(CHUNKED + b'1;x="', b"y", 431, OF_A_HEAD, id="quoted extension"),
    pytest.param(CHUNKED + b"1", b";x=y", 431, OF_A_HEAD, id="extensions of a chunk"),
    pytest.param(CHUNKED, b"1;x=y\r\nz\r\n", 400, OF_FRAMING, id="extensions of all chunks"),
    pytest.param(CHUNKED, b"1\r\nx\r\n", 400, OF_FRAMING, id="chunks of one octet"),
    pytest.param(CHUNKED, b"000002\r\nxy\r\n", 400, OF_FRAMING, id="sizes with zeros"),
    pytest.param(CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n", 413, 2 * BODY_LIMIT, id="body"),
    pytest.param(
        CHUNKED, b"1;" + b"x" * 60_000 + b"\r\nz\r\n", 400, OF_FRAMING, id="long extensions"
    ),
]


def octets(beginning: bytes, repeated: bytes) -> Iterator[bytes]:
    """Yield a beginning and then the same octets for ever, in blocks as the server reads them."""
    yield beginning
    yield from itertools.repeat(repeated * -(-HEAD_BLOCK_OCTETS // len(repeated)))


def refused_after(blocks: Iterable[bytes], most: int) -> tuple[int, MessageReader]:
    """Return the status by which a reader refuses some blocks, and the reader."""
    reader = MessageReader(BODY_LIMIT, BodySpoolQuota(BODY_LIMIT))
    received = 0
    try:
        for block in blocks:
            reader.receive(block)
            received += len(block)
            assert received <= most
    except RequestRefusedError as error:
        return error.status, reader
    raise AssertionError("not refused")


@pytest.mark.parametrize(("beginning", "repeated", "status", "most"), ENDLESS)
def test_a_part_without_end_is_refused_after_bounded_octets(
    beginning: bytes, repeated: bytes, status: int, most: int
) -> None:
    found, reader = refused_after(octets(beginning, repeated), most)
    reader.close()
    assert found == status


@pytest.mark.parametrize(("beginning", "repeated", "status", "most"), ENDLESS)
def test_a_part_without_end_takes_bounded_memory(
    beginning: bytes, repeated: bytes, status: int, most: int
) -> None:
    blocks = octets(beginning, repeated)
    next(blocks), next(blocks)  # so that their own octets do not count
    tracemalloc.start()
    try:
        _, reader = refused_after(octets(beginning, repeated), most)
        held, _ = tracemalloc.get_traced_memory()
        reader.close()
    finally:
        tracemalloc.stop()
    assert held < BODY_IN_MEMORY_OCTETS + 2 * HEAD_OCTETS + len(repeated) * 2 + (64 << 10)


def test_a_slow_part_without_end_is_refused_as_well() -> None:
    single = (bytes([octet]) for octet in itertools.chain(LAST_CHUNK, itertools.repeat(ord("x"))))
    assert refused_after(single, OF_A_HEAD)[0] == 431


def test_many_small_requests_in_a_row_are_not_taken_for_one_large_head() -> None:
    reader = MessageReader(BODY_LIMIT, BodySpoolQuota(BODY_LIMIT))
    for _ in range(2000):
        reader.receive(b"\r\nGET /a HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 500 + b"\r\n\r\n")
        assert reader.complete.popleft().target == b"/a"


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"X: y\r\n" * (HEADER_FIELDS - 1) + b"\r\n",
        HEAD + b"Authorization: Digest " + b"x" * 60_000 + b"\r\n\r\n",
        b"\r\n\r\n" + HEAD + b"\r\n",
        LAST_CHUNK + b"X: y\r\n" * 50 + b"\r\n",
        CHUNKED + b"14;a=b\r\n" + b"x" * 20 + b"\r\n0\r\n\r\n",
        # A writer that sends each line of a calendar as a chunk.
        CHUNKED + b"14\r\nDTSTART:20260101T090\r\n" * 100_000 + b"0\r\n\r\n",
        # One that sends each token.
        CHUNKED + b"5\r\n<a>b<\r\n" * 80_000 + b"0\r\n\r\n",
        CHUNKED + b"8000\r\n" + b"x" * 0x8000 + b"\r\n0\r\n\r\n",
    ],
    ids=lambda sent: str(sent[:60]),
)
def test_requests_of_real_programs_are_complete(sent: bytes) -> None:
    reader = MessageReader(BODY_LIMIT, BodySpoolQuota(BODY_LIMIT))
    for start in range(0, len(sent), HEAD_BLOCK_OCTETS):
        reader.receive(sent[start : start + HEAD_BLOCK_OCTETS])
    assert len(reader.complete) == 1
    assert not reader.is_mid_request
    reader.close()


@pytest.mark.parametrize(("octets_of_value", "is_accepted"), [(65_000, True), (66_000, False)])
@pytest.mark.parametrize("body", [0, 4000])
def test_a_head_is_measured_without_what_follows_it(
    octets_of_value: int, is_accepted: bool, body: int
) -> None:
    sent = HEAD + b"X: %b\r\nContent-Length: %d\r\n\r\n" % (b"y" * octets_of_value, body)
    reader = MessageReader(BODY_LIMIT, BodySpoolQuota(BODY_LIMIT))
    refusal: tuple[int, str | None] | None = None
    try:
        for start in range(0, len(sent) + body, HEAD_BLOCK_OCTETS):
            reader.receive((sent + b"z" * body)[start : start + HEAD_BLOCK_OCTETS])
    except RequestRefusedError as error:
        refusal = (error.status, error.limit)
    assert refusal == (None if is_accepted else (431, "head"))
    assert len(reader.complete) == is_accepted


def test_few_requests_are_held_at_a_time() -> None:
    reader = MessageReader(BODY_LIMIT, BodySpoolQuota(BODY_LIMIT))
    shortest = b"GET / HTTP/1.1\r\nHost:\r\n\r\n"
    sent = shortest * 10_000
    most = 0
    while sent:
        block, sent = sent[: reader.block], sent[reader.block :]
        reader.receive(block)
        most = max(most, len(reader.complete))
        reader.complete.clear()  # the server answers them before it reads on
    assert 0 < most <= HEAD_BLOCK_OCTETS // len(shortest) + 1


def test_no_more_is_read_at_once_than_is_left_of_a_body() -> None:
    reader = MessageReader(BODY_LIMIT, BodySpoolQuota(BODY_LIMIT))
    reader.receive(HEAD + b"Content-Length: 100000\r\n\r\nxx")
    assert reader.block == 1 << 16
    reader.receive(b"x" * (1 << 16))
    assert reader.block == 100_000 - 2 - (1 << 16)
    reader.receive(b"x" * reader.block)
    assert reader.block == HEAD_BLOCK_OCTETS
    assert reader.complete[0].length == 100_000
