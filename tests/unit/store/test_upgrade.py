"""Upgrades of the schema, the copy that is taken first, and schemas of a later Kalends."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from kalends.cli.main import main
from kalends.store import schema_version
from kalends.store.schema import HEAD
from support.installation import Installation, event
from support.postgres import PostgresServer
from support.server import BIN

OLD = "0002"
ROWS = (
    "INSERT INTO collection (path, parent, tag, props, incarnation, modseq, forgotten, changed) "
    "VALUES ('', NULL, '', '{}', 'r', 1, 0, 1), ('alice', '', '', '{}', 'h', 1, 0, 1), "
    "('alice/work', 'alice', 'VCALENDAR', '{\"tag\": \"VCALENDAR\"}', 'c', 2, 0, 1)"
)


def create_old_store(url: str, data: bytes) -> None:
    """Create a store of a version without the table of occurrences."""
    engine = create_engine(url)
    with engine.begin() as connection:
        schema_version.upgrade(connection, OLD)
        connection.exec_driver_sql(ROWS)
        number = connection.exec_driver_sql(
            "SELECT id FROM collection WHERE path = 'alice/work'"
        ).scalar_one()
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        connection.exec_driver_sql(
            "INSERT INTO object (collection_id, href, uid, etag, kind, component, recurring, "
            f"modseq, changed, data) VALUES ({number}, 'a.ics', 'a', '\"e\"', 'VCALENDAR', "
            f"'VEVENT', false, 2, 1, {mark})",
            (data,),
        )
    engine.dispose()


def read_schema_version(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(found)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_upgrade_takes_a_copy_first_that_can_be_restored(
    tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    url = f"sqlite:///{tmp_path}/kalends.db"
    folder = tmp_path
    if kind == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url, folder = server.database(), tmp_path / "feeds"
    create_old_store(url, event("a"))
    (tmp_path / "feeds").mkdir()
    installation = Installation(tmp_path, options={"storage__database": url})
    with installation.client() as client:
        assert client("GET", "/alice/work/a.ics").body == event("a")
        assert client("DELETE", "/alice/work/a.ics").status == 204
    copy = folder / f"kalends.db-before-{HEAD}"
    assert read_schema_version(copy) == OLD
    assert copy.stat().st_mode & 0o777 == 0o600
    with pytest.raises(SystemExit) as left:
        main(["backup", "--config", str(installation.config), "--restore", str(copy)])
    assert left.value.code == 0, capsys.readouterr().err
    with installation.client() as client:
        assert client("GET", "/alice/work/a.ics").body == event("a")
    assert copy.exists()


def test_without_a_copy_the_schema_is_not_upgraded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_old_store(f"sqlite:///{tmp_path}/kalends.db", event("a"))
    (tmp_path / f".kalends.db-before-{HEAD}.tmp").mkdir()  # in the way
    with pytest.raises(SystemExit) as left:
        main(["feed", "list", "--config", str(Installation(tmp_path).config)])
    done = capsys.readouterr()
    assert (left.value.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert "no copy could be taken before the upgrade" in done.err
    assert read_schema_version(tmp_path / "kalends.db") == OLD


def test_a_schema_of_a_later_kalends_is_refused_in_one_line(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with installation.client():
        pass
    with closing(sqlite3.connect(tmp_path / "kalends.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    command = [str(BIN / "kalends"), "serve", "--config", str(installation.config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "its schema 9999 is newer than this Kalends knows" in done.stderr
    assert not list(tmp_path.glob("*-before-*"))
