"""A store of version 0.1.0, of which every answer and feed is still the same to the octet.

So are all entity tags but those of feeds: they were digests of what is stored, and told a reader
of writes that a feed hides.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from support.installation import Client, Installation
from support.paths import DATA

STORE = DATA / "store-0.1.0"
RECORDED: list[dict[str, Any]] = json.loads((STORE / "answers.json").read_text())


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("store")
    shutil.copy(STORE / "kalends.db", folder)
    (folder / "groups").write_text("family: alice bob\n")
    site = Installation(
        folder,
        feeds=(STORE / "feeds.toml").read_text(),
        options={"auth__htgroup_filename": str(folder / "groups")},
    )
    with site.client() as opened:
        yield opened


@pytest.mark.parametrize(
    "recorded", RECORDED, ids=lambda recorded: f"{recorded['method']} {recorded['path']}"
)
def test_answers_are_those_of_version_0_1_0(client: Client, recorded: dict[str, Any]) -> None:
    answer = client(
        recorded["method"],
        recorded["path"],
        recorded["body"],
        user=recorded["user"],
        headers=recorded["headers"],
    )
    assert answer.status == recorded["status"]
    told = dict(recorded["told"])
    if recorded["path"].startswith("/feeds/"):
        assert answer.headers["ETag"] != told.pop("ETag")
    assert {name: answer.headers.get(name) for name in told} == told
    assert answer.body.decode("utf-8", "surrogateescape") == recorded["answer"]
