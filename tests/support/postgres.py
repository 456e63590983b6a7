"""A real PostgreSQL server for tests, and databases on it."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

from kalends.store.engine import open_database
from kalends.store.migrate import migrate
from support.awaiting import await_that
from support.process import ReservedPort, ServerProcess

ACCOUNT = "postgres"
"""Its administrator, and the user that it runs as if the tests run as root.

PostgreSQL refuses to run as root.
"""

PASSWORD = "correct-horse-battery"
_CONFIGURATION = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
"""


def newest_program(name: str) -> str:
    """Return the path of the newest version of a program, which Debian keeps off the path."""
    found = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = max(found, key=lambda path: int(path.parent.parent.name), default=None)
    return str(newest or shutil.which(name) or name)


# A database has a thousand small files, which are created and removed much faster in memory.
_MEMORY = Path("/dev/shm")
_NEEDED_BYTES = 2 << 30


class PostgresServer:
    """A server with a cluster in a temporary folder, on a port of 127.0.0.1.

    The folder is not one of pytest's, which are closed to other users.
    """

    def __init__(self) -> None:
        fits = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _NEEDED_BYTES
        where = _MEMORY if fits else None
        self._folder = Path(tempfile.mkdtemp(prefix="kalends-postgres-", dir=where))
        self._numbers = itertools.count(1)
        self._reserved = ReservedPort()
        self.port = self._reserved.number
        self._run_as: tuple[str, ...] = ()
        if os.geteuid() == 0:
            shutil.chown(self._folder, ACCOUNT, ACCOUNT)
            self._run_as = ("setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups")
        data = self._folder / "data"
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        subprocess.run(
            [
                *(
                    *self._run_as,
                    newest_program("initdb"),
                    "--pgdata",
                    str(data),
                    "--no-sync",
                    "--no-locale",
                ),
                *("--encoding=UTF8", f"--username={ACCOUNT}", "--auth=scram-sha-256"),
                f"--pwfile={secret}",
            ],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.write(_CONFIGURATION.format(port=self.port, folder=self._folder))
        self.process = ServerProcess(
            [*self._run_as, newest_program("postgres"), "-D", str(data)],
            ready="database system is ready to accept connections",
            folder=self._folder,
            environment={"LC_ALL": "C"},
        )
        self.process.start()
        self.execute(f"CREATE ROLE kalends LOGIN PASSWORD '{PASSWORD}'")
        self._template = self.database()
        store = open_database(self._template)
        migrate(store)
        store.close()

    def database(self) -> str:
        """Create a database without tables; return its URL."""
        return self._created("template0")

    def store(self) -> str:
        """Create a database with the tables of an empty store; return its URL."""
        return self._created(self._template.rpartition("/")[2])

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement as an administrator, and return its rows."""
        with self._connected(database) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """Stop it at once, and remove its files."""
        self.stop()
        self._reserved.release()
        shutil.rmtree(self._folder)

    def stop(self, mode: str = "immediate") -> None:
        """Stop it, if it runs, without waiting for its clients; `process` can start it again.

        Args:
            mode: pg_ctl's mode: ``immediate`` is a crash; ``fast`` keeps unlogged tables too.
        """
        if not self.process.runs:
            return
        data = str(self._folder / "data")
        command = [*self._run_as, newest_program("pg_ctl"), "stop", "-D", data, "-m", mode]
        subprocess.run(command, cwd=self._folder, stdout=subprocess.DEVNULL, check=True)
        self.process.stop()

    def crash(self) -> None:
        """Kill one of its processes: all others end too, and it recovers from its log.

        Unlogged tables are empty afterwards, as on a standby that takes over.
        """
        with self._connected() as victim, self._connected() as witness:
            os.kill(victim.info.backend_pid, signal.SIGKILL)
            with contextlib.suppress(psycopg.OperationalError):
                witness.execute("SELECT pg_sleep(60)")  # ended as soon as it has noticed
        await_that(self._answers)

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _connected(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=ACCOUNT,
            password=PASSWORD,
            dbname=database,
            autocommit=True,
        )

    def _created(self, template: str) -> str:
        name = f"store{next(self._numbers)}"
        # PostgreSQL itself waits five seconds for the last connection to the template to end.
        await_that(lambda: self._created_from(template, name))
        return f"postgresql+psycopg://kalends:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def _created_from(self, template: str, name: str) -> bool:
        try:
            self.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER kalends")
        except psycopg.errors.ObjectInUse:
            return False
        return True
