"""`kalends check`: accounts that cannot log in, and wrong settings with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from kalends.cli import main
from support.installation import Installation
from support.server import htdigest_line, htpasswd_line


def check(installation: Installation, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    with pytest.raises(SystemExit) as ended:
        main.main(["check", "--config", str(installation.config)])
    said = capsys.readouterr()
    code = ended.value.code
    assert isinstance(code, int)
    return code, (said.out + said.err).splitlines()


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """alice in both files, bob for Basic alone, carol for Digest alone."""
    (tmp_path / "groups").write_text("family: alice bob\n")
    (tmp_path / "users.htdigest").write_text(
        htdigest_line("alice", "R", "a") + htdigest_line("carol", "R", "c")
    )
    options = {
        "auth__realm": "R",
        "auth__htdigest_filename": str(tmp_path / "users.htdigest"),
        "auth__htgroup_filename": str(tmp_path / "groups"),
    }
    return Installation(tmp_path, options=options)


@pytest.mark.parametrize(
    ("schemes", "more", "left_out"),
    [
        ("digest, basic", {}, [("bob", "Digest"), ("carol", "Basic")]),
        ("digest", {}, [("bob", "Digest")]),
        ("basic", {"auth__basic_from_htdigest": "True"}, []),
        ("digest, basic", {"auth__basic_from_htdigest": "True"}, [("bob", "Digest")]),
        ("none", {}, []),
    ],
)
def test_accounts_that_no_offered_scheme_lets_in_are_named(
    installation: Installation,
    capsys: pytest.CaptureFixture[str],
    schemes: str,
    more: dict[str, str],
    left_out: list[tuple[str, str]],
) -> None:
    installation.write(auth__schemes=schemes, **more)
    code, said = check(installation, capsys)
    found = [line for line in said if "cannot log in with" in line]
    assert len(found) == len(left_out), said
    for name, scheme in left_out:
        assert any(f"'{name}' cannot log in with HTTP {scheme}" in line for line in found)
    assert code == (1 if left_out else 0)


def test_an_unused_digest_file_is_reported(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = check(installation, capsys)
    assert code == 1
    assert any("htdigest_filename is not used" in line for line in said)


def test_passwords_that_cannot_be_verified_are_reported(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    (installation.folder / "users.htdigest").write_text(htdigest_line("alice", "R", "a"))
    installation.write(auth__basic_from_htdigest="True")
    installation.htpasswd.write_text(
        htpasswd_line("alice", "a") + "dora:{SSHA}abc\nemil:$2y$31$" + "a" * 53 + "\nfred:plain\n"
    )
    code, said = check(installation, capsys)
    assert code == 1
    for name in ("dora", "emil", "fred"):
        assert sum(f"the password of '{name}' cannot be verified" in line for line in said) == 1
    assert not any("alice" in line or "{SSHA}" in line for line in said)


def test_groups_that_cannot_have_calendars_are_reported(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    (installation.folder / "groups").write_text("a/b: alice\n.hidden: alice\nfine: alice\n")
    _, said = check(installation, capsys)
    assert sum("has no calendars" in line for line in said) == 2
    (installation.folder / "groups").unlink()
    code, said = check(installation, capsys)
    assert code == 1
    assert any(str(installation.folder / "groups") in line for line in said)


def test_a_realm_that_breaks_clients_is_reported(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    installation.write(auth__schemes="digest", auth__realm='say "R"')
    _, said = check(installation, capsys)
    assert any("realm" in line and "many clients fail" in line for line in said)


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("auth__schemes", "digets", "takes 'basic', 'digest', 'digest, basic' or 'none'"),
        ("auth__schemes", "basic, basic", "takes 'basic'"),
        ("auth__schemes", "none, basic", "takes 'basic'"),
        ("auth__basic_over_http", "maybe", "neither True nor False"),
        ("kalends__trusted_proxies", "proxy.example.org", "neither an address, a network nor"),
        ("kalends__trusted_proxies", "10.0.0.1/8", "neither an address, a network nor"),
        ("storage__group_collections", "[", "group_collections"),
    ],
)
def test_a_wrong_setting_is_one_line_with_its_place(
    installation: Installation,
    capsys: pytest.CaptureFixture[str],
    option: str,
    value: str,
    why: str,
) -> None:
    installation.write(**{option: value})
    code, said = check(installation, capsys)
    name = option.partition("__")[2]
    lines = installation.config.read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if line.startswith(f"{name} ="))
    assert code == 1
    (line,) = said
    assert line.startswith(f"kalends: {installation.config}:{number}: ")
    assert why in line


def test_digest_needs_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = check(Installation(tmp_path, options={"auth__schemes": "digest"}), capsys)
    assert code == 1
    assert "[auth] htdigest_filename is missing" in said[0]


def test_basic_over_http_can_be_refused(tmp_path: Path) -> None:
    options = {"auth__basic_over_http": "False", "kalends__trusted_proxies": "127.0.0.1"}
    with Installation(tmp_path, options=options).client() as client:
        for user in ("alice", ""):
            answer = client("PROPFIND", "/alice/", user=user)
            assert answer.status == 403
            assert "WWW-Authenticate" not in answer.headers
        tls = {"X-Forwarded-Proto": "https"}
        assert client("PROPFIND", "/alice/", user="", headers=tls).status == 401
        assert client("PROPFIND", "/alice/", headers=tls).status == 207


def test_a_missing_user_file_comes_with_the_command_that_creates_it(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    installation.htpasswd.unlink()
    code, said = check(installation, capsys)
    expected = (
        f"{installation.htpasswd}: No such file or directory; `kalends user add NAME` creates it"
    )
    assert (code, [line for line in said if "htpasswd" in line]) == (1, [expected])
