"""Random octets on a connection: what comes back is an answer or a refusal, and others go on."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.connection import http_connection

PIECES = st.lists(
    st.sampled_from(
        [
            b"GET / HTTP/1.1\r\n",
            b"PUT /a HTTP/1.1\r\n",
            b"PUT /a HTTP/1.0\r\n",
            b"Host: x\r\n",
            b"Content-Length: 5\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Expect: 100-continue\r\n",
            b"Connection: close\r\n",
            b"Connection: upgrade\r\nUpgrade: x\r\n",
            b"\r\n",
            b"hello",
            b"5\r\nhello\r\n",
            b"5;a=b\r\nhello\r\n",
            b"0\r\n\r\n",
            b"X: " + b"y" * 70_000,
            b"1\r\nx\r\n" * 1000,
            b"\r\n" * 40_000,
        ]
    )
    | st.binary(max_size=20),
    max_size=12,
).map(b"".join)


@settings(max_examples=100)
@given(sent=PIECES)
def test_random_octets_are_answered_or_refused(sent: bytes) -> None:
    http_connection(sent)
