"""Two clients that overwrite the same event at the same moment."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Self

from support.samples import event
from support.server import Answer, KalendsServer

RACES = 500


def test_of_two_clients_with_the_same_etag_exactly_one_succeeds(
    tmp_path: Path, store_url: str
) -> None:
    users = {"alice": "wonderland"}
    options = {"storage": {"database": store_url}}
    server = KalendsServer(tmp_path / "server", users=users, workers=3, options=options)
    try:
        path = "/alice/calendar/contested.ics"
        first = server.request("PUT", path, user="alice", body=event("contested", "0"))
        etag = first.headers["ETag"]
        with Racer(server, path) as one, Racer(server, path) as two:
            for number in range(1, RACES + 1):
                texts = [event("contested", f"{number} from {name}") for name in ("one", "two")]
                one.go(texts[0], etag)
                two.go(texts[1], etag)
                answers = [one.answer(), two.answer()]
                assert sorted(answer.status for answer in answers) == [204, 412], number
                winner = [answer.status for answer in answers].index(204)
                stored = server.request("GET", path, user="alice")
                assert stored.text == texts[winner]
                etag = stored.headers["ETag"]
                assert answers[winner].headers["ETag"] == etag
    finally:
        server.close()


class Racer:
    """A client in its own thread, on one persistent connection."""

    def __init__(self, server: KalendsServer, path: str) -> None:
        self.server = server
        self.path = path
        self.connection = server.connection()
        self._given: tuple[str, str] | None = None
        self._answer: Answer | None = None
        self._turn = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go("", "")
        self._thread.join(30)
        self.connection.close()

    def go(self, text: str, etag: str) -> None:
        """PUT the text if the object still has the etag; an empty text ends the thread."""
        with self._turn:
            self._given = (text, etag)
            self._turn.notify_all()

    def answer(self) -> Answer:
        """Return the answer."""
        with self._turn:
            assert self._turn.wait_for(lambda: self._answer is not None, timeout=60)
            answer, self._answer = self._answer, None
        assert answer is not None
        return answer

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._given is not None)
                given, self._given = self._given, None
            if not given or not given[0]:
                return
            headers = {"If-Match": given[1]}
            answer = self.server.request_on(
                self.connection, "PUT", self.path, user="alice", body=given[0], headers=headers
            )
            with self._turn:
                self._answer = answer
                self._turn.notify_all()
