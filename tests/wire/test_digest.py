"""HTTP Digest on the wire: Apache's verdicts, replays, and the schemes that a 401 offers."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.authn.backends.apache_files import (
    UserDirectory,
    htdigest_file,
    htgroup_file,
    htpasswd_file,
)
from kalends.authn.hashing.apr1 import apr1
from kalends.authn.nonces.replay_cache import SharedNonceCounts
from kalends.authn.schemes.base import AuthScheme, BasicScheme
from kalends.authn.schemes.digestscheme import DigestScheme
from support.differences import DENIED_DIGESTS
from support.vectors import DigestVector, digest_vectors
from support.wsgisite import Answer, Site

KEY = b"k" * 32


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class DigestSite(Site):
    """A site with a digest file, and optionally Basic as well."""

    def __init__(self, folder: Path, data: bytes, realm: str = "R", **options: object) -> None:
        self.clock = Clock()
        (folder / "users.htdigest").write_bytes(data)
        (folder / "users.htpasswd").write_bytes(b"bob:" + apr1(b"builder", b"salt") + b"\n")
        self.file = folder / "users.htdigest"
        basic = options.pop("basic", False)
        over_tls_only = bool(options.pop("over_tls_only", False))
        directory = UserDirectory(
            htpasswd_file(folder / "users.htpasswd"), htdigest=htdigest_file(self.file), realm=realm
        )
        # The table is older than every request of a test.
        self.counts = SharedNonceCounts(folder / "counts", self.clock.now - 1000, buckets=16)
        self.digest = DigestScheme(
            directory,
            realm,
            KEY,
            self.counts,
            now=self.clock,
            **options,  # type: ignore[arg-type] # further parameters of the scheme
        )
        schemes: list[AuthScheme] = [self.digest]
        if basic:
            schemes.append(BasicScheme(directory, realm, over_tls_only=over_tls_only))
        super().__init__(directory, realm, schemes)

    def login(self, nonce: str | None = None, **replaced: str) -> Answer:
        """Send one login as a client does; ``replaced`` has other values for fields of it."""
        self.clock.now += 0.01
        fields = {"user": "alice", "password": "secret", "realm": "R", "nc": "00000001"} | replaced
        nonce = nonce or self.nonce()
        path = fields.get("path", "/")
        tls = {"wsgi.url_scheme": fields.get("scheme", "http")}
        return self.ask(header(nonce, path, fields), path, RAW_URI=path, **tls)

    def nonce(self) -> str:
        """Return a fresh nonce."""
        return nonce_of(self.ask(None).all("WWW-Authenticate")[0])


def nonce_of(value: str, name: str = "nonce") -> str:
    found = re.search(rf'\b{name}="([^"]*)"', value)
    assert found is not None, value
    return found[1]


def header(nonce: str, path: str, fields: dict[str, str]) -> str:
    """Return a Digest header in the form that curl sends."""

    def hashed(*parts: str) -> str:
        algorithm = fields.get("hash", "md5")
        return hashlib.new(algorithm, ":".join(parts).encode()).hexdigest()

    ha1 = hashed(fields["user"], fields["realm"], fields["password"])
    uri = fields.get("uri", path)
    ha2 = hashed(fields.get("method", "GET"), uri)
    response = hashed(ha1, nonce, fields["nc"], "cn", "auth", ha2)
    text = (
        f'Digest username="{fields["user"]}", realm="{fields["realm"]}", nonce="{nonce}", '
        f'uri="{uri}", response="{response}", qop=auth, nc={fields["nc"]}, cnonce="cn"'
        f"{fields.get('more', '')}"
    )
    return text.encode(fields.get("encoding", "utf-8")).decode("latin-1")


ALICE = b"alice:R:1f7ce4d4f6b2495234041d7f73be0c20\n"


@pytest.fixture
def site(tmp_path: Path) -> DigestSite:
    return DigestSite(tmp_path, ALICE)


# The verdicts of Kalends that differ from those of Apache in the case's configuration.
EXPECTED = {
    # Kalends has no directive that lets a client omit the query in its uri.
    "dp-uri-query-hack": [False],
    # Counts may arrive out of order, as they do with parallel connections.
    "sq-nc-out-of-order": [True, True, True],
    # A client may continue with an older nonce.
    "sq-nc-renonce-old": [True, False, True, True, False],
    # A replay is refused; Apache accepts it by default.
    "sq-default-replay": [True, False, False],
    "sq-nc-zero": [False],
    "sq-nc-overflow": [False, True],
    "sq-nc-negative": [False, True],
    **{name: [False] for name in DENIED_DIGESTS},
}


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
@pytest.mark.parametrize("vector", digest_vectors(), ids=lambda vector: str(vector.id))
def test_verdicts_are_those_of_apache(vector: DigestVector, tmp_path: Path) -> None:
    lifetime: float | None = 300
    configured = re.search(r"AuthDigestNonceLifetime (-?\d+)", vector.conf)
    if configured:
        lifetime = None if configured[1] == "-1" else float(configured[1])
    site = DigestSite(tmp_path, vector.file, vector.realm, lifetime=lifetime)
    expected = EXPECTED.get(vector.id, [step.allowed for step in vector.steps])
    nonces: list[str] = []
    answers: list[Answer] = []
    for step, allowed in zip(vector.steps, expected, strict=True):
        nonce = choose_nonce(site, step.nonce, nonces, answers)
        nonces.append(nonce)
        site.clock.now += step.wait
        answer = site.ask(
            vector.header(step, nonce),
            vector.uri.partition("?")[0],
            REQUEST_METHOD=vector.method,
            RAW_URI=vector.uri,
            HTTP_HOST="127.0.0.1:8191",
        )
        answers.append(answer)
        assert (answer.status == 200) is allowed, (vector.note, answer.headers)
        if answer.status != 200 and vector.id not in EXPECTED:
            assert answer.status in ([400, 401] if vector.unsafe else [vector.status or 401])
        if vector.id not in EXPECTED:
            stale = any("stale=true" in value for value in answer.all("WWW-Authenticate"))
            assert stale is step.stale
        if allowed and step.next_nonce is not None:
            (info,) = answer.all("Authentication-Info")
            assert ("nextnonce" in info) is step.next_nonce


def choose_nonce(site: DigestSite, how: str, nonces: list[str], answers: list[Answer]) -> str:
    """Return the nonce for a step of a case."""
    fresh = site.nonce()
    known = {
        "fresh": fresh,
        "first challenge": fresh,
        "a new challenge": fresh,
        "tamper-hash": fresh[:-1] + ("0" if fresh[-1] != "0" else "1"),
        "upper-hash": fresh[:12] + "A" * 40,
        "trailing": fresh + "x",
    }
    if how in known:
        return known[how]
    if how == "previous":
        return nonces[-1]
    if how == "step 0":
        return nonces[0]
    if how == "the last 401":
        return nonce_of(answers[-1].all("WWW-Authenticate")[0])
    if how == "nextnonce of the last answer":
        return nonce_of(answers[-1].all("Authentication-Info")[0], "nextnonce")
    return how


def test_a_challenge_and_its_login_have_the_right_headers(site: DigestSite) -> None:
    challenged = site.ask(None)
    assert challenged.status == 401
    (challenge,) = challenged.all("WWW-Authenticate")
    assert re.fullmatch(
        r'Digest realm="R", nonce="[A-Za-z0-9+/]{11}=[0-9a-f]{40}", algorithm=MD5, qop="auth"',
        challenge,
    )
    answer = site.login(nonce_of(challenge))
    assert (answer.status, answer.body) == (200, b"alice")
    (info,) = answer.all("Authentication-Info")
    assert re.fullmatch(r'rspauth="[0-9a-f]{32}", cnonce="cn", nc=00000001, qop=auth', info)
    assert site.application.seen is not None
    assert site.application.seen["AUTH_TYPE"] == "Digest"


def test_a_nonce_count_is_accepted_once_even_after_a_restart(
    site: DigestSite, tmp_path: Path
) -> None:
    nonce = site.nonce()
    assert site.login(nonce).status == 200
    assert site.login(nonce).status == 401
    site.counts.close()
    restarted = DigestSite(tmp_path, ALICE)
    restarted.clock.now = site.clock.now
    assert restarted.login(nonce).status == 401
    assert restarted.login(nonce, nc="00000002").status == 200


def test_a_nonce_of_another_worker_is_valid(site: DigestSite, tmp_path: Path) -> None:
    other = DigestSite(tmp_path, ALICE)
    nonce = site.nonce()
    assert other.login(nonce).status == 200
    assert site.login(nonce).status == 401
    assert site.login(nonce, nc="00000002").status == 200


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"password": "wrong"}, 401),
        ({"user": "carol"}, 401),
        ({"realm": "S"}, 401),
        ({"method": "PUT"}, 401),
        ({"uri": "/other"}, 400),
        ({"hash": "sha256"}, 401),
        ({"more": ", algorithm=SHA-256"}, 401),
        ({"more": ", algorithm=MD5-sess"}, 401),
        ({"more": ", userhash=true"}, 200),
        ({"more": ", username=bob"}, 401),
        ({"nc": "00000000"}, 401),
    ],
)
def test_fields_decide_about_the_login(
    site: DigestSite, fields: dict[str, str], status: int
) -> None:
    answer = site.login(**fields)
    assert answer.status == status
    assert not any("stale" in value for value in answer.all("WWW-Authenticate"))


def test_a_failed_login_does_not_use_up_the_nonce_count(site: DigestSite) -> None:
    nonce = site.nonce()
    for _ in range(3):
        assert site.login(nonce, password="wrong").status == 401
    assert site.login(nonce).status == 200


def test_only_a_right_password_is_told_that_the_nonce_is_stale(
    site: DigestSite, caplog: pytest.LogCaptureFixture
) -> None:
    nonce = site.nonce()
    site.clock.now += 301
    stale = site.login(nonce)
    assert stale.status == 401
    assert stale.all("WWW-Authenticate")[0].endswith('algorithm=MD5, stale=true, qop="auth"')
    assert caplog.records == []
    assert "stale" not in site.login(nonce, password="wrong").all("WWW-Authenticate")[0]
    assert site.login(nonce_of(stale.all("WWW-Authenticate")[0])).status == 200


def test_a_nonce_from_the_future_is_stale(site: DigestSite) -> None:
    nonce = site.nonce()
    site.clock.now -= 60
    assert "stale=true" in site.login(nonce).all("WWW-Authenticate")[0]


def test_a_next_nonce_is_sent_before_a_nonce_expires(site: DigestSite) -> None:
    nonce = site.nonce()
    site.clock.now += 265
    assert "nextnonce" not in site.login(nonce).all("Authentication-Info")[0]
    site.clock.now += 10
    info = site.login(nonce, nc="00000002").all("Authentication-Info")[0]
    assert site.login(nonce_of(info, "nextnonce")).status == 200


def test_a_changed_file_takes_effect_at_the_next_request(site: DigestSite) -> None:
    nonce = site.nonce()
    assert site.login(nonce).status == 200
    site.file.write_bytes(ALICE.replace(b"alice", b"bob"))
    assert site.login(nonce, nc="00000002").status == 401
    site.file.unlink()
    assert site.ask(None).status == 401
    assert site.login(nonce, nc="00000003").status == 503


def test_logins_without_qop_are_accepted_only_if_enabled(tmp_path: Path) -> None:
    for switched_on in (False, True):
        site = DigestSite(tmp_path, ALICE, without_qop=switched_on)
        nonce = site.nonce()
        ha2 = hashlib.md5(b"GET:/").hexdigest()
        response = hashlib.md5(f"1f7ce4d4f6b2495234041d7f73be0c20:{nonce}:{ha2}".encode())
        value = (
            f'Digest username="alice", realm="R", nonce="{nonce}", uri="/", '
            f'response="{response.hexdigest()}"'
        )
        first, again = (site.ask(value, RAW_URI="/") for _ in range(2))
        assert first.status == (200 if switched_on else 401)
        assert again.status == 401
        assert any("stale" in c for c in again.all("WWW-Authenticate")) is switched_on
        site.counts.close()


def line(user: str, algorithm: str, password: str = "secret") -> bytes:
    text = f"{user}:R:{password}".encode()
    return f"{user}:R:{hashlib.new(algorithm, text).hexdigest()}\n".encode()


def test_sha256_is_offered_if_all_accounts_have_it(tmp_path: Path) -> None:
    both = line("alice", "md5") + line("alice", "sha256")
    site = DigestSite(tmp_path, both)
    algorithms = [re.findall(r"algorithm=([^,]+)", c) for c in site.ask().all("WWW-Authenticate")]
    assert algorithms == [["SHA-256"], ["MD5"]]
    answer = site.login(hash="sha256", more=", algorithm=SHA-256")
    assert answer.status == 200
    assert re.match('rspauth="[0-9a-f]{64}"', answer.all("Authentication-Info")[0])
    site.file.write_bytes(both + line("bob", "md5"))
    assert len(site.ask().all("WWW-Authenticate")) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_name_may_be_sent_in_either_encoding(tmp_path: Path, encoding: str) -> None:
    """Some clients send the name in ISO-8859-1 and hash it in UTF-8."""
    site = DigestSite(tmp_path, line("ålice", "md5"))
    answer = site.login(user="ålice", encoding=encoding)
    assert (answer.status, answer.body.decode()) == (200, "ålice")


def test_the_empty_name_cannot_log_in(tmp_path: Path) -> None:
    assert DigestSite(tmp_path, line("", "md5")).login(user="").status == 401


@pytest.mark.parametrize(
    "fields", [{"password": "wrong"}, {"user": "carol"}, {"user": "bob", "password": "builder"}]
)
@pytest.mark.parametrize(("scheme", "offered"), [("https", "Basic"), ("http", "Digest")])
def test_with_both_schemes_failed_digests_are_answered_alike(
    tmp_path: Path, fields: dict[str, str], scheme: str, offered: str
) -> None:
    site = DigestSite(tmp_path, ALICE, basic=True)
    bare = site.ask(**{"wsgi.url_scheme": scheme})
    assert [c.split()[0] for c in bare.all("WWW-Authenticate")] == ["Digest", "Basic"]
    answer = site.login(scheme=scheme, **fields)
    assert answer.status == 401
    assert [c.split()[0] for c in answer.all("WWW-Authenticate")] == [offered]
    assert "stale" not in answer.all("WWW-Authenticate")[0]


def test_with_both_schemes_a_stale_nonce_is_renewed(tmp_path: Path) -> None:
    site = DigestSite(tmp_path, ALICE, basic=True)
    nonce = site.nonce()
    site.clock.now += 400
    answer = site.login(nonce, scheme="https")
    assert [c.split()[0] for c in answer.all("WWW-Authenticate")] == ["Digest"]
    assert "stale=true" in answer.all("WWW-Authenticate")[0]


def test_with_both_schemes_each_account_logs_in_by_its_own(tmp_path: Path) -> None:
    site = DigestSite(tmp_path, ALICE, basic=True)
    assert site.login().body == b"alice"
    assert site.ask("Basic " + base64.b64encode(b"bob:builder").decode()).body == b"bob"
    assert site.ask("Basic " + base64.b64encode(b"alice:secret").decode()).status == 401


def test_basic_can_be_limited_to_tls(tmp_path: Path) -> None:
    site = DigestSite(tmp_path, ALICE, basic=True, over_tls_only=True)
    bob = "Basic " + base64.b64encode(b"bob:builder").decode()
    assert [c.split()[0] for c in site.ask().all("WWW-Authenticate")] == ["Digest"]
    assert site.ask(bob).status == 401
    assert site.ask(bob, **{"wsgi.url_scheme": "https"}).status == 200


def test_accounts_only_in_the_digest_file_may_use_basic_if_enabled(tmp_path: Path) -> None:
    (tmp_path / "users").write_bytes(ALICE + line("bob", "sha256", "digest") + b"eve:R:\n")
    (tmp_path / "passwords").write_bytes(b"bob:" + apr1(b"basic", b"salt") + b"\n")
    for switched_on in (False, True):
        directory = UserDirectory(
            htpasswd_file(tmp_path / "passwords"),
            htdigest=htdigest_file(tmp_path / "users"),
            realm="R",
            basic_by_htdigest=switched_on,
        )
        assert directory.names() == {"alice", "bob"}
        assert directory.check_password(b"alice", b"secret") is switched_on
        assert not directory.check_password(b"alice", b"Secret")
        assert directory.check_password(b"bob", b"basic")
        assert not directory.check_password(b"bob", b"digest")
        assert not directory.check_password(b"eve", b"")


def test_groups_follow_their_file(tmp_path: Path) -> None:
    path = tmp_path / "groups"
    path.write_bytes(b"family: alice bob\nStaff: alice\n")
    directory = UserDirectory(None, htgroup=htgroup_file(path))
    assert directory.groups_of("alice") == {"family", "Staff"}
    assert directory.groups_of("carol") == frozenset()
    path.write_bytes(b"family: carol\n")
    assert directory.groups_of("alice") == frozenset()
    assert directory.members() == {"family": {"carol"}}
    assert UserDirectory(None).groups_of("alice") == frozenset()
    assert UserDirectory(None).members() == {}


def test_no_secret_is_in_the_log(site: DigestSite, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    nonce = site.nonce()
    site.login(nonce)
    site.login(nonce)
    site.login(nonce, password="hunter2", nc="00000002")
    site.login(nonce, user="carol")
    assert [record.getMessage() for record in caplog.records] == [
        "login failed from 192.0.2.7: this answer was used before, name 'alice'",
        "login failed from 192.0.2.7: wrong name or password, name 'alice'",
        "login failed from 192.0.2.7: wrong name or password, name 'carol'",
    ]


def test_no_hash_is_in_the_repr_of_an_account(site: DigestSite) -> None:
    directory = UserDirectory(None, htdigest=htdigest_file(site.file))
    assert repr(directory.digest_account(b"alice", b"R")) == "DigestAccount('alice')"


FIELDS = st.lists(
    st.tuples(
        st.sampled_from(
            ["username", "realm", "nonce", "uri", "response", "qop", "nc", "cnonce", "algorithm"]
        ),
        st.text(st.characters(max_codepoint=255), max_size=12)
        | st.sampled_from(["alice", "R", "/", "auth", "MD5", "00000001", "a" * 32]),
    )
)


@settings(max_examples=200)
@given(FIELDS)
def test_no_header_raises(
    tmp_path_factory: pytest.TempPathFactory, fields: list[tuple[str, str]]
) -> None:
    site = DigestSite(tmp_path_factory.mktemp("site"), ALICE)
    value = "Digest " + ", ".join(f'{name}="{text}"' for name, text in fields)
    assert site.ask(value, RAW_URI="/").status in (400, 401)
    site.counts.close()
