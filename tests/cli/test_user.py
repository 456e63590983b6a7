"""``kalends user``: its effect on the user files and the store, and its output."""

from __future__ import annotations

import io
import os
import pty
import socket
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import pytest
import requests
from requests.auth import HTTPDigestAuth

from kalends.authn import account_editing
from kalends.authn.apache.htfiles import parse_htdigest, parse_htpasswd
from kalends.authn.apache.htgroup import parse_groups
from kalends.authn.apple_accounts_xml import DirectoryXmlError, parse_directory
from kalends.authn.authenticator import user_directory
from kalends.cli.main import main
from kalends.common import atomicfile
from kalends.config import loader
from kalends.errors import ConfigurationError
from support.apache import RealApache, login_directives
from support.installation import Installation, event
from support.paths import DATA
from support.server import BIN, REALM


@dataclass
class Office:
    """An installation with all three user files, and its command."""

    installation: Installation
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    @property
    def folder(self) -> Path:
        return self.installation.folder

    @property
    def htpasswd(self) -> Path:
        return self.installation.htpasswd

    @property
    def htdigest(self) -> Path:
        return self.folder / "users.htdigest"

    @property
    def htgroup(self) -> Path:
        return self.folder / "groups"

    def __call__(self, *arguments: str, given: bytes = b"sesame\n") -> tuple[int, str, str]:
        """Run the command in this process; return its exit status, output and errors."""
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        with pytest.raises(SystemExit) as left:
            main(["user", *arguments, "--config", str(self.installation.config)])
        printed = self.capsys.readouterr()
        assert isinstance(left.value.code, int)
        assert b"sesame" not in (printed.out + printed.err).encode()
        return left.value.code, printed.out, printed.err

    def done(self, *arguments: str, given: bytes = b"sesame\n") -> str:
        """Run a command that succeeds; return its output."""
        status, out, err = self(*arguments, given=given)
        assert (status, err) == (0, "")
        return out

    def refused(self, *arguments: str, given: bytes = b"sesame\n") -> str:
        """Run a command that changes nothing; return its error line."""
        before = self.contents()
        status, out, err = self(*arguments, given=given)
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert err.startswith("kalends: ")
        assert self.contents() == before
        return err

    def contents(self) -> dict[str, bytes]:
        """Return the contents of the user files and of all files beside them."""
        return {
            path.name: path.read_bytes()
            for path in self.folder.iterdir()
            if path.is_file() and not path.name.startswith("kalends.")
        }

    def admits(self, name: str, password: str) -> bool:
        """Return True if both schemes accept a password, as Kalends reads the files."""
        directory = user_directory(loader.load(self.installation.config).settings)
        basic = directory.check_password(name.encode(), password.encode())
        account = directory.digest_account(name.encode(), REALM.encode())
        digest = account is not None and account.has_password(
            name.encode(), REALM.encode(), password.encode()
        )
        assert basic == digest
        return basic


@pytest.fixture
def office(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Office:
    options = {
        "auth__htdigest_filename": str(tmp_path / "users.htdigest"),
        "auth__htgroup_filename": str(tmp_path / "groups"),
        "auth__schemes": "digest, basic",
    }
    return Office(Installation(tmp_path, options=options), capsys, monkeypatch)


def on_a_terminal(office: Office, typed: bytes, *arguments: str) -> tuple[int, bytes]:
    """Run the command on a terminal; return its exit status and output."""
    command = [
        str(BIN / "kalends"),
        "user",
        *arguments,
        "--config",
        str(office.installation.config),
    ]
    child, terminal = pty.fork()
    if child == 0:
        os.execv(command[0], command)
    termios.tcsetwinsize(terminal, (24, 80))
    shown = b""
    try:
        while block := os.read(terminal, 4096):
            shown += block
            # Each line is typed after its prompt: getpass discards earlier input.
            if block.rstrip(b" ").endswith((b":", b"[y/N]")) and typed:
                line, end, typed = typed.partition(b"\n")
                os.write(terminal, line + end)
    except OSError:  # Linux reports the closed other end like this
        os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


@pytest.mark.parametrize(
    "name", ["carl", "carl smith", "cårl", 'c"arl', "dom\\carl", "c@d.example"]
)
def test_a_new_account_can_log_in_with_both_schemes(office: Office, name: str) -> None:
    assert f"added {name} to {office.htpasswd} and {office.htdigest}\n" in office.done("add", name)
    assert office.admits(name, "sesame")
    assert not office.admits(name, "Sesame")
    entry = parse_htpasswd(office.htpasswd.read_bytes()).find(name.encode())
    assert entry is not None
    assert entry.stored.startswith(b"$2y$10$")


def test_a_new_password_replaces_the_old_one(office: Office) -> None:
    office.done("add", "carl")
    assert "changed the password of carl" in office.done(
        "passwd", "carl", given=b"n\xc3\xa4chster\r\n"
    )
    assert office.admits("carl", "nächster")
    assert not office.admits("carl", "sesame")


def test_a_new_password_adds_an_account_to_the_file_that_lacks_it(office: Office) -> None:
    office.done("passwd", "alice")
    assert office.admits("alice", "sesame")


def test_a_running_application_follows_the_files(office: Office) -> None:
    office.done("add", "carl")
    with office.installation.client("carl") as client:
        client.passwords = {"carl": "sesame"}
        assert client("PROPFIND", "/carl/").status == 207
        office.done("passwd", "carl", given=b"other\n")
        assert client("PROPFIND", "/carl/").status == 401
        client.passwords = {"carl": "other"}
        assert client("PROPFIND", "/carl/").status == 207
        office.done("remove", "carl")
        assert client("PROPFIND", "/carl/").status == 401


def test_apache_accepts_the_files(office: Office) -> None:
    office.htgroup.write_text("family: alice\n")
    office.done("add", "carl smith")
    folder = office.folder / "apache"
    for kind in ("Basic", "Digest"):
        (folder / "htdocs" / kind).mkdir(parents=True)
        (folder / "htdocs" / kind / "index.html").write_text(kind)
    config = "".join(
        f"<Location /{kind}>{login_directives(file, REALM, kind=kind)}</Location>\n"
        for kind, file in (("Basic", office.htpasswd), ("Digest", office.htdigest))
    )
    with RealApache(folder, config) as apache:

        def admitted(name: str, password: str) -> list[int]:
            basic = requests.get(f"{apache.url}Basic/", auth=(name, password), timeout=30)
            digest = HTTPDigestAuth(name, password)
            return [
                basic.status_code,
                requests.get(f"{apache.url}Digest/", auth=digest, timeout=30).status_code,
            ]

        assert admitted("carl smith", "sesame") == [200, 200]
        assert by_htpasswd(office, "carl smith", "sesame")
        assert not by_htpasswd(office, "carl smith", "other")
        office.done("passwd", "carl smith", given=b"other\n")
        assert admitted("carl smith", "other") == [200, 200]
        assert admitted("carl smith", "sesame") == [401, 401]
        assert by_htpasswd(office, "carl smith", "other")
        assert admitted("alice", "wonderland") == [200, 401]
        office.done("remove", "carl smith")
        assert admitted("carl smith", "other") == [401, 401]
        assert admitted("alice", "wonderland") == [200, 401]


def by_htpasswd(office: Office, name: str, password: str) -> bool:
    """Return True if Apache's own tool accepts a password."""
    command = ["htpasswd", "-vb", str(office.htpasswd), name, password]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("alice", "exists already"),
        ("a:b", "colon"),
        ("a\nb", "control"),
        ("#a", "#"),
        (" a", "blank"),
        ("a\\", "backslash"),
        ("", "empty"),
        ("\udcff", "UTF-8"),
        ("a/b", "segment"),
        (".a", "begins with"),
        ("GROUPS", "reserved"),
        ("everyone", "a feed has that name"),
        ("x" * 9000, "bytes"),
    ],
)
def test_names_that_accounts_cannot_have_are_refused(office: Office, name: str, why: str) -> None:
    assert why in office.refused("add", name)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"a\0b\n", "control"),
        (b"a\tb\n", "control"),
        (b"\xff\n", "UTF-8"),
        (b"x" * 73 + b"\n", "72 bytes"),
        ("ä".encode() * 37, "72 bytes"),
    ],
)
def test_unusable_passwords_are_refused(office: Office, given: bytes, why: str) -> None:
    assert why in office.refused("add", "carl", given=given)
    assert why in office.refused("passwd", "alice", given=given)


def test_without_a_password_file_passwords_may_be_longer(office: Office) -> None:
    office.installation.write(auth__htpasswd_filename="")
    office.done("add", "carl", given=b"x" * 4000)
    assert "4096" in office.refused("add", "dora", given=b"x" * 4097)


def test_unknown_accounts_are_refused(office: Office) -> None:
    for arguments in (
        ["passwd", "carl"],
        ["remove", "carl"],
        ["remove", "carl", "--data", "--yes"],
    ):
        assert "there is no account 'carl'" in office.refused(*arguments)
    assert "not UTF-8" in office.refused("remove", "\udcff")


def test_a_password_is_typed_twice_and_not_shown(office: Office) -> None:
    status, shown = on_a_terminal(office, b"hush hush\nhush hush\n", "add", "carl")
    assert status == 0, shown
    assert b"New password of carl: " in shown
    assert b"hush" not in shown
    assert office.admits("carl", "hush hush")


def test_two_different_passwords_change_nothing(office: Office) -> None:
    before = office.contents()
    status, shown = on_a_terminal(office, b"one\ntwo\n", "passwd", "alice")
    assert status == 1
    assert b"different" in shown
    assert office.contents() == before


def test_files_keep_their_permissions_owner_and_links(office: Office) -> None:
    real = office.folder / "elsewhere" / "real"
    real.parent.mkdir()
    real.write_bytes(b"# mine\r\nzoe:h\r\n")
    real.chmod(0o604)
    root = os.geteuid() == 0
    if root:
        os.chown(real, 12345, 23456)
    os.setxattr(real, "user.note", b"kept")
    office.htpasswd.unlink()
    office.htpasswd.symlink_to("elsewhere/real")
    before = real.stat()
    office.done("add", "carl")
    after = real.stat()
    assert office.htpasswd.is_symlink()
    assert real.read_bytes().startswith(b"# mine\r\nzoe:h\r\ncarl:$2y$")
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert os.getxattr(real, "user.note") == b"kept"
    assert after.st_mtime_ns > before.st_mtime_ns
    assert [path.name for path in real.parent.iterdir()] == ["real"]


def test_new_files_belong_to_the_owner_of_their_folder(office: Office) -> None:
    office.htpasswd.unlink()
    out = office.done("add", "carl")
    modes = [path.stat().st_mode & 0o777 for path in (office.htpasswd, office.htdigest)]
    assert modes == [0o640, 0o600]
    assert f"note: created {office.htdigest} with mode 0600" in out
    if os.geteuid() == 0:  # the folder belongs to the server and its group
        os.chown(office.folder, 12345, 23456)
        office.htdigest.unlink()
        office.done("passwd", "carl")
        made = office.htdigest.stat()
        assert (made.st_uid, made.st_gid, made.st_mode & 0o777) == (12345, 23456, 0o640)


def test_a_file_of_another_owner_is_not_changed(office: Office) -> None:
    """In a user namespace without other users, a file cannot be given to one."""
    if os.geteuid() == 0:
        os.chown(office.htpasswd, 12345, 23456)
    before = office.contents()
    command = ["unshare", "--map-root-user", str(BIN / "kalends"), "user", "add", "carl"]
    ran = subprocess.run(
        [*command, "--config", str(office.installation.config)],
        input=b"sesame\n",
        capture_output=True,
        check=False,
    )
    if os.geteuid() == 0:
        assert ran.returncode == 1
        assert b"belongs to another user" in ran.stderr
        assert ran.stderr.count(b"\n") == 1
        assert office.contents() == before
    else:
        assert ran.returncode == 0


@pytest.mark.parametrize("existing", [True, False])
def test_if_the_second_file_cannot_be_replaced_the_first_is_restored(
    office: Office, existing: bool
) -> None:
    """A file that is a mount point cannot be replaced, which only the attempt shows."""
    office.htdigest.write_text("zoe:calendars:" + "1" * 32 + "\n")
    if not existing:
        office.htpasswd.unlink()
    before = office.contents()
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    script = 'mount --bind "$1" "$1" && shift && exec "$@"'
    mounting = ["unshare", "--mount", *root, "sh", "-c", script, "sh", str(office.htdigest)]
    command = [str(BIN / "kalends"), "user", "add", "carl"]
    ran = subprocess.run(
        [*mounting, *command, "--config", str(office.installation.config)],
        input=b"sesame\n",
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.count(b"\n") == 1
    assert f"{office.htdigest}: cannot be replaced".encode() in ran.stderr
    assert b"nothing was changed" in ran.stderr
    assert office.contents() == before


def test_a_failure_that_cannot_be_undone_says_what_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"old")
    second.write_bytes(b"old")
    real = Path.replace

    def once(source: Path, target: Path) -> Path:
        if first.read_bytes() == b"new":
            raise OSError(5, "Input/output error")
        return real(source, target)

    monkeypatch.setattr(Path, "replace", once)
    new = {first: b"new", second: b"new"}
    with pytest.raises(atomicfile.HalfReplacedError) as failed:
        atomicfile.replace_together(new, {first: b"old", second: b"old"}, lambda _, __: 0o600)
    assert failed.value.replaced == [first]
    assert failed.value.filename == str(second)
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second"}


def test_concurrent_commands_lose_no_account(office: Office) -> None:
    command = [str(BIN / "kalends"), "user", "add", "--config", str(office.installation.config)]
    names = [f"user{number}" for number in range(6)]
    running = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for name in names
    ]
    for process in running:
        process.communicate(b"sesame\n")
    assert [process.returncode for process in running] == [0] * len(running)
    assert parse_htpasswd(office.htpasswd.read_bytes()).names == {"alice", "bob", *names}
    digests = parse_htdigest(office.htdigest.read_bytes())
    assert digests.accounts(REALM.encode()).names == set(names)
    assert not [name for name in office.contents() if name.endswith((".lock", ".tmp"))]


_HAMMER = """
import sys
from pathlib import Path
from kalends.authn.account_editing import ALL, Credentials, edited
from kalends.authn.apache.editing import Ha1
from kalends.config import loader
settings = loader.load(Path(sys.argv[1])).settings
found = Credentials(b"$2y$04$x", Ha1(b"1" * 32, b"2" * 64))
for number in range(25):
    with edited(settings, ALL) as files:
        files.put({f"{sys.argv[2]}-{number}": found})
        files.join("all", [f"{sys.argv[2]}-{number}"])
"""


def test_concurrent_edits_lose_nothing(office: Office) -> None:
    command = [sys.executable, "-c", _HAMMER, str(office.installation.config)]
    running = [subprocess.Popen([*command, who]) for who in "abcd"]
    assert [process.wait() for process in running] == [0] * 4
    expected = {f"{who}-{number}" for who in "abcd" for number in range(25)}
    assert parse_htpasswd(office.htpasswd.read_bytes()).names == {"alice", "bob"} | expected
    assert parse_groups(office.htgroup.read_bytes()).members == {"all": expected}
    digests = parse_htdigest(office.htdigest.read_bytes())
    assert digests.accounts(REALM.encode()).names == expected


def test_a_change_by_another_program_is_not_lost(office: Office) -> None:
    settings = loader.load(office.installation.config).settings

    def both() -> None:
        with account_editing.edited(settings, account_editing.LOGINS) as files:
            files.take_out("alice")
            with office.htpasswd.open("a") as other:
                other.write("zoe:h\n")

    with pytest.raises(ConfigurationError, match="another program"):
        both()
    assert parse_htpasswd(office.htpasswd.read_bytes()).names == {"alice", "bob", "zoe"}


@pytest.mark.parametrize("what", ["overlong", "hard-link", "folder", "same", "unreadable-loop"])
def test_files_that_cannot_be_edited_are_refused(office: Office, what: str) -> None:
    match what:
        case "overlong":
            office.htpasswd.write_bytes(b"a:b\n" + b"x" * 9000 + b"\n")
            assert f"{office.htpasswd}:2: " in office.refused("add", "carl")
        case "hard-link":
            office.htpasswd.with_name("other").hardlink_to(office.htpasswd)
            assert "hard links" in office.refused("add", "carl")
        case "folder":
            office.htdigest.mkdir()
            assert "not a regular file" in office.refused("add", "carl")
        case "same":
            office.installation.write(auth__htdigest_filename=str(office.htpasswd))
            assert "files of their own" in office.refused("add", "carl")
        case _:
            office.htpasswd.unlink()
            office.htpasswd.symlink_to(office.htpasswd)
            assert str(office.htpasswd) in office.refused("add", "carl")


def test_of_two_commands_that_add_an_account_one_is_refused(office: Office) -> None:
    class Slow(io.BytesIO):
        """Standard input that is slow, so that another command adds the account meanwhile."""

        def readline(self, size: int | None = -1, /) -> bytes:
            with office.htpasswd.open("a") as file:
                file.write("carl:h\n")
            return b"sesame\n"

    office.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Slow()))
    with pytest.raises(SystemExit, match="1"):
        main(["user", "add", "carl", "--config", str(office.installation.config)])
    assert "exists already" in office.capsys.readouterr().err
    assert office.htpasswd.read_bytes().endswith(b"\ncarl:h\n")
    assert not office.htdigest.exists()


def test_a_realm_whose_accounts_all_have_sha_256_stays_so(office: Office) -> None:
    office.htdigest.write_text(f"zoe:{REALM}:{'1' * 32}\nzoe:{REALM}:{'2' * 64}\n")
    office.done("add", "carl")
    assert parse_htdigest(office.htdigest.read_bytes()).accounts(REALM.encode()).all_sha256
    assert office.admits("carl", "sesame")


def test_the_first_account_creates_no_database(office: Office) -> None:
    """If root adds it, the server could not write a database of root."""
    office.done("add", "carl")
    office.done("list")
    office.done("remove", "carl")
    assert not list(office.folder.glob("kalends.db*"))


def fill(office: Office, name: str) -> None:
    """Create a home with an object, and a secret address."""
    with office.installation.client(name) as client:
        client.passwords = {name: "sesame"}
        assert client("PUT", f"/{name}/calendar/a.ics", event("a")).status == 201
    office.installation.feeds_file.write_text('[feed.family]\ncalendars=["*/*"]\naccess="secret"\n')
    config = str(office.installation.config)
    with pytest.raises(SystemExit, match="0"):
        main(["feed", "url", "family", "--user", name, "--config", config])
    office.capsys.readouterr()


def test_without_data_the_calendars_of_a_removed_account_stay(office: Office) -> None:
    office.done("add", "carl")
    fill(office, "carl")
    out = office.done("remove", "carl")
    assert f"removed carl from {office.htpasswd} and {office.htdigest}\n" in out
    assert "its home stays, with 3 collections and 1 objects" in out
    assert "carl: no account, home\n" in office.done("list")
    assert "--data removes" in office.refused("remove", "carl")
    assert "its former home is still there, with 3 collections and 1 objects" in office.done(
        "add", "carl"
    )


def test_with_data_only_the_accounts_own_calendars_and_secrets_are_removed(office: Office) -> None:
    for name in ("carl", "Carl", "carla"):
        office.done("add", name)
        fill(office, name)
    office.done("remove", "carl")
    out = office.done("remove", "carl", "--data", "--yes")
    assert "removed its home with 3 collections and 1 objects" in out
    assert "    carl/calendar: 1\n" in out
    assert "removed its secret addresses of family\n" in out
    assert "there is no account 'carl'" in office.refused("remove", "carl", "--data", "--yes")
    listed = office.done("list")
    assert "carl: " not in listed
    for name in ("Carl", "carla"):
        with office.installation.client(name) as client:
            client.passwords = {name: "sesame"}
            assert client("GET", f"/{name}/calendar/a.ics").status == 200
        assert "secret addresses" in office.done("remove", name, "--data", "--yes")


@pytest.mark.parametrize("name", ["GROUPS", "carl/calendar", "", "s"])
def test_only_homes_of_accounts_can_be_removed(office: Office, name: str) -> None:
    office.done("add", "carl")
    office.done("groups", "add", "family", "carl")
    fill(office, "carl")
    office.refused("remove", name, "--data", "--yes")
    with office.installation.client("carl") as client:
        client.passwords = {"carl": "sesame"}
        assert client("GET", "/carl/calendar/a.ics").status == 200
        assert client("PROPFIND", "/GROUPS/family/").status == 207


def test_data_is_removed_only_after_a_confirmation(office: Office) -> None:
    office.done("add", "carl")
    fill(office, "carl")
    assert "--yes" in office.refused("remove", "carl", "--data", given=b"y\n")
    status, shown = on_a_terminal(office, b"n\n", "remove", "carl", "--data")
    assert status == 1
    assert b"carl has 3 collections and 1 objects." in shown
    assert b"nothing was removed" in shown
    assert office.admits("carl", "sesame")
    status, shown = on_a_terminal(office, b"y\n", "remove", "carl", "--data")
    assert status == 0, shown
    assert "carl: " not in office.done("list")


def test_a_removed_account_leaves_its_groups_and_other_realms_are_named(office: Office) -> None:
    office.done("add", "carl smith")
    office.htgroup.write_text(
        "# ours\nfamily: alice 'carl smith' \\\n bob\nSTAFF: \"carl smith\"\n"
    )
    with office.htdigest.open("a") as file:
        file.write(f"carl smith:elsewhere:{'1' * 32}\n")
    out = office.done("remove", "carl smith")
    assert "it was in STAFF and family\n" in out
    assert "still has it in the realm elsewhere" in out
    assert office.htgroup.read_text() == "# ours\nfamily: alice bob\nSTAFF:\n"


def test_an_account_that_only_a_group_names_can_be_removed(office: Office) -> None:
    office.htgroup.write_text("family: alice zoe\n")
    assert f"removed zoe from {office.htgroup}\n" in office.done("remove", "zoe")
    assert office.htgroup.read_text() == "family: alice\n"


def test_list_shows_files_groups_and_homes_and_never_a_hash(office: Office) -> None:
    office.htpasswd.write_bytes(
        b"alice:" + bcrypt.hashpw(b"x", bcrypt.gensalt(4)) + b"\n"
        b"bob:$apr1$abcdefgh$Z6MDWAKLd4EW/.lHrcaj41\n"
        b"\xe5ke:plaintext\n"
        b"e\x1b[31mvil:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n"
    )
    office.htdigest.write_text(
        f"bob:{REALM}:{'1' * 32}\nbob:{REALM}:{'2' * 64}\nzoe:other:{'1' * 32}\n"
    )
    office.htgroup.write_text("family: alice bob\nstaff: bob\n")
    with office.installation.client("alice") as client:
        client.passwords = {"alice": "x"}
        assert client("PROPFIND", "/alice/").status == 207
    assert office.done("list") == (
        "alice: htpasswd (bcrypt), in family, home\n"
        "bob: htpasswd (apr1), htdigest (MD5 and SHA-256), in family staff, no home yet\n"
        "'e\\x1b[31mvil': htpasswd (SHA-1), no home: it is not one segment of a path\n"
        "åke: htpasswd (no login: unknown format), no home yet\n"
    )


def test_groups_are_listed_and_changed(office: Office) -> None:
    out = office.done("groups", "add", "family", "alice", "bob smith")
    assert "alice and bob smith are in the group family\n" in out
    assert "no user file has an account bob smith" in out
    assert office.htgroup.read_text() == 'family: alice "bob smith"\n'
    office.done("groups", "add", "FAMILY", "bob")
    office.done("groups", "add", "staff", "bob")
    assert office.done("groups") == 'family: "bob smith" alice bob\nstaff: bob\n'
    assert office.done("groups", "Family") == 'family: "bob smith" alice bob\n'
    office.done("groups", "remove", "Family", "alice", "bob smith")
    assert office.htgroup.read_text() == "family: bob\nstaff: bob\n"


@pytest.mark.parametrize(
    "words",
    [
        ["nobody"],
        ["add", "family"],
        ["remove", "family", "alice"],
        ["add", "fam:ily", "alice"],
        ["add", "family", "al\nice"],
        ["add", "family", "\udcff"],
        ["\udcff"],
        ["remove", "\udcff", "alice"],
    ],
)
def test_invalid_changes_of_groups_are_refused(office: Office, words: list[str]) -> None:
    office.refused("groups", *words)


def test_missing_file_options_are_named(office: Office) -> None:
    office.installation.write(auth__htgroup_filename="")
    assert "htgroup_filename" in office.refused("groups")
    office.done("add", "carl")
    nothing = {"auth__htpasswd_filename": "", "auth__htdigest_filename": ""}
    office.installation.write(auth__schemes="none", **nothing)
    assert "htpasswd_filename" in office.refused("list")


@pytest.mark.parametrize(
    "action", [[], ["add"], ["passwd"], ["remove"], ["list"], ["groups"], ["import"]]
)
def test_each_level_has_help(action: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["user", *action, "--help"])
    assert left.value.code == 0
    assert "usage: kalends user" in capsys.readouterr().out


def test_accounts_of_apples_server_are_imported(office: Office) -> None:
    office.done("add", "otto", given=b"as it was\n")
    status, out, err = office("import", str(DATA / "accounts.xml"))
    assert status == 1
    notes = out.splitlines()
    assert notes[:5] == [
        "note: records of type 'location' left out: 1",
        "note: records of type 'resource' left out: 2",
        "note: further names of users and groups left out: 1",
        "note: the location 'cellar' in the group 'desks' is not an account",
        "note: the group 'desks' names 'gone', which has no record",
    ]
    assert notes[5].startswith("note: the realm is 'calendars' here, and 'Office' in the file")
    assert notes[6] == "4 accounts added, 0 replaced, 1 left as they are, 2 refused, 2 groups"
    assert notes[7].startswith(f"note: created {office.htgroup} with mode 0640")
    assert err.splitlines() == [
        f"{DATA}/accounts.xml: 'guest' refused: the password is empty",
        f"{DATA}/accounts.xml: 'a/b' refused: it is not one segment of a path",
    ]
    for name, password in [
        ("karla", "kräuter & tee"),
        ("otto", "as it was"),
        ("desk03", "desk03-100%"),
    ]:
        assert office.admits(name, password)
    everyone = {"karla", "desk01", "desk02"}
    members = parse_groups(office.htgroup.read_bytes()).members
    assert members == {"sales": everyone, "desks": everyone}
    before = office.contents()
    assert "0 accounts added, 0 replaced, 5 left" in office("import", str(DATA / "accounts.xml"))[1]
    assert office.contents() == before
    assert "5 replaced" in office("import", str(DATA / "accounts.xml"), "--replace")[1]
    assert office.admits("otto", "otto 100% sure")


def test_the_later_format_of_apples_file_is_read() -> None:
    found = parse_directory(
        b'<!DOCTYPE accounts SYSTEM "accounts.dtd">\n<directory realm="Test">'
        b"<record><uid>1-1</uid><short-name>carl</short-name><short-name>c</short-name>"
        b"<password> p </password></record>"
        b'<record type="user"><uid>1-2</uid><password>x</password></record>'
        b'<record type="group"><uid>2-1</uid><full-name>All of us</full-name>'
        b"<member-uid>1-1</member-uid></record>"
        b'<record type="address"><uid>3-1</uid></record></directory>'
    )
    assert found.realm == "Test"
    assert found.passwords == {"carl": " p "}
    assert found.groups == {"All of us": ("carl",)}
    assert len(found.notes) == 3
    assert "'carl': ' p '" not in repr(found)


def test_external_entities_are_not_fetched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/accounts.dtd"
        found = parse_directory(f'<!DOCTYPE accounts SYSTEM "{address}"><accounts/>'.encode())
        assert found.passwords == {}
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.mark.parametrize(
    ("data", "line", "why"),
    [
        (b"", 1, "XML"),
        (b"<accounts>\n<user>\n</accounts>", 3, "XML"),
        (b"<calendar/>", 1, "neither"),
        (
            b'<!DOCTYPE a SYSTEM "a.dtd">\n<accounts><user><password>x&sesame;</password>',
            2,
            "XML",
        ),
        (b'<!DOCTYPE accounts [\n<!ENTITY a "b">]><accounts>&a;</accounts>', 2, "entities"),
        (
            b'<!DOCTYPE a [\n<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]><accounts/>',
            2,
            "entities",
        ),
        (b'<?xml version="1.0" encoding="euc-jp"?><accounts/>', 1, "XML"),
        (b'<accounts><user repeat="9999999999"><uid>u%d</uid></user></accounts>', 1, "more than"),
    ],
)
def test_a_file_that_is_not_a_directory_is_one_line(
    office: Office, data: bytes, line: int, why: str
) -> None:
    file = office.folder / "accounts.xml"
    file.write_bytes(data)
    said = office.refused("import", str(file))
    assert said.startswith(f"kalends: {file}:{line}: ")
    assert why in said
    with pytest.raises(DirectoryXmlError):
        parse_directory(data)


def test_a_missing_file_is_one_line(office: Office) -> None:
    assert "No such file" in office.refused("import", str(office.folder / "nothing.xml"))


def test_a_long_import_shows_its_progress(office: Office) -> None:
    status, shown = on_a_terminal(office, b"", "import", str(DATA / "accounts.xml"))
    assert status == 1
    assert b"accounts.xml:" in shown
    assert b"/5" in shown
