"""deploy/install below a temporary folder, and the scripts of the container.

pip is replaced by a script that records its arguments: a real installation takes a minute.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kalends.config.loader import load
from support.paths import ROOT
from support.process import ReservedPort, ServerProcess
from support.server import BIN, KalendsServer
from support.webserver import Certificate

DEPLOY = ROOT / "deploy"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with configuration folders of Apache, nginx and fail2ban, and a fake pip."""
    for name in ("etc/apache2", "etc/nginx", "etc/fail2ban", "opt/kalends/bin"):
        (tmp_path / name).mkdir(parents=True)
    python = tmp_path / "opt/kalends/bin/python3"
    python.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/pip.log\n')
    python.chmod(0o755)
    return tmp_path


def install(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run deploy/install with DESTDIR."""
    return subprocess.run(
        [str(DEPLOY / "install"), *arguments],
        env={**os.environ, "DESTDIR": str(root)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def read_tree(root: Path) -> dict[str, tuple[str, bytes]]:
    """Return the permissions and the content of each installed file."""
    return {
        str(path.relative_to(root)): (
            stat.filemode(path.lstat().st_mode),
            path.read_bytes() if path.is_file() else b"",
        )
        for path in root.rglob("*")
        if path.name != "pip.log"
    }


def test_a_second_run_changes_nothing(root: Path) -> None:
    done = install(root)
    assert done.returncode == 0, done.stderr
    first = read_tree(root)
    assert first["etc/kalends/kalends.ini"][0] == "-rw-r-----"
    assert first["etc/kalends/users.htpasswd"] == ("-rw-r-----", b"")
    assert first["var/lib/kalends"][0] == "drwx--x--x"
    assert first["var/lib/kalends/feeds"][0] == "drwxr-s---"
    for name in (
        "etc/systemd/system/kalends.service",
        "etc/systemd/system/kalends.socket",
        "etc/apache2/kalends/settings.conf",
        "etc/apache2/kalends/kalends.wsgi",
        "etc/apache2/sites-available/kalends.conf",
        "etc/nginx/kalends/http.conf",
        "etc/nginx/sites-available/kalends",
        "etc/fail2ban/jail.d/kalends.conf",
    ):
        assert name in first
    _, settings = load(root / "etc/kalends/kalends.ini")
    assert settings.trusted_proxies == {"unix"}
    assert install(root).returncode == 0
    assert read_tree(root) == first
    called = (root / "pip.log").read_text()
    assert f"install --require-hashes -r {ROOT}/requirements.txt" in called


def test_files_of_the_administrator_are_not_replaced(root: Path) -> None:
    assert install(root).returncode == 0
    mine = root / "etc/kalends/kalends.ini"
    mine.write_text("[server]\nhosts = 127.0.0.1:1\n")
    users = root / "etc/kalends/users.htpasswd"
    users.write_text("alice:x\n")
    (root / "etc/systemd/system/kalends.service").write_text("old")
    done = install(root)
    assert done.returncode == 0
    assert mine.read_text() == "[server]\nhosts = 127.0.0.1:1\n"
    assert "[auth]" in (root / "etc/kalends/kalends.ini.new").read_text()
    assert "kalends.ini stays as it is" in done.stdout
    assert users.read_text() == "alice:x\n"
    unit = (DEPLOY / "systemd" / "kalends.service").read_text()
    assert (root / "etc/systemd/system/kalends.service").read_text() == unit


def test_an_unknown_argument_is_a_one_line_error(root: Path) -> None:
    refused = install(root, "--fast")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    helped = install(root, "--help")
    assert helped.returncode == 0
    assert "DESTDIR" in helped.stdout


@pytest.fixture
def container(tmp_path: Path) -> Iterator[ServerProcess]:
    """The entry point of the container, with a volume that is empty at first."""
    data = tmp_path / "data"
    data.mkdir()
    reserved = ReservedPort()
    process = ServerProcess(
        [
            *("sh", "-c", 'sed -i "s/0.0.0.0:5232/$0/" "$KALENDS_CONFIG" && exec "$@"'),
            f"127.0.0.1:{reserved.number}",
            *("kalends", "serve"),
        ],
        ready="Kalends serves http://",
        folder=tmp_path,
        environment={
            "KALENDS_CONFIG": str(data / "kalends.ini"),
            "KALENDS_SHIPPED": str(ROOT / "config"),
            "KALENDS_ADDRESS": f"http://127.0.0.1:{reserved.number}/",
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",
        },
    )
    process.command = [str(DEPLOY / "container" / "start"), *process.command]
    yield process
    process.stop()
    reserved.release()


def test_the_container_fills_its_volume_and_is_healthy_while_it_serves(
    container: ServerProcess, tmp_path: Path
) -> None:
    container.start()
    environment = {**os.environ, **container.environment}
    healthy = [str(DEPLOY / "container" / "healthy")]
    assert subprocess.run(healthy, env=environment, check=False).returncode == 0
    assert {path.name for path in (tmp_path / "data").iterdir()} >= {
        *("kalends.ini", "feeds.toml", "users.htpasswd", "kalends.db"),
    }
    first = (tmp_path / "data" / "kalends.ini").read_text()
    container.stop()
    gone = subprocess.run(healthy, env=environment, capture_output=True, check=False)
    assert gone.returncode != 0
    container.start()
    assert (tmp_path / "data" / "kalends.ini").read_text() == first


def test_the_service_and_the_container_are_limited(container: ServerProcess) -> None:
    unit = (DEPLOY / "systemd" / "kalends.service").read_text().splitlines()
    for name, value in {
        "MemoryMax": r"[1-9]\d%",
        "TasksMax": r"\d{3,4}",
        "LimitCORE": "0",
        "OOMPolicy": "continue",
        "Restart": "on-failure",
    }.items():
        assert [bool(re.fullmatch(f"{name}={value}", x)) for x in unit].count(True) == 1, name
    container.start()
    limits = Path(f"/proc/{container.pid}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits)
    for file in ("Containerfile", "README.md"):
        text = (DEPLOY / file).read_text()
        for option in ("--memory", "--pids-limit", "--ulimit core=0", "--restart"):
            assert option in text


def test_the_health_check_works_with_tls(tmp_path: Path) -> None:
    certificate = Certificate.create_in(tmp_path)
    server = KalendsServer(tmp_path / "server", users={}, certificate=certificate)
    with closing(server):
        for scheme, is_healthy in (("https", True), ("http", False)):
            environment = {**os.environ, "KALENDS_ADDRESS": f"{scheme}://127.0.0.1:{server.port}/"}
            command = [str(DEPLOY / "container" / "healthy")]
            done = subprocess.run(command, env=environment, capture_output=True, check=False)
            assert (done.returncode == 0) == is_healthy, done.stderr


def test_the_containerfile_copies_existing_files() -> None:
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    assert "USER kalends" in lines
    assert [line for line in lines if line.startswith("VOLUME")] == ["VOLUME /data"]
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    for line in lines:
        if line.startswith("COPY") and "--from" not in line:
            *sources, _ = [word for word in line.split()[1:] if not word.startswith("--")]
            for source in sources:
                assert (ROOT / source).exists(), source
