"""``kalends user list | groups``."""

from __future__ import annotations

import argparse

from kalends.authn.account_editing import ALL, GROUPS, AccountError, UserFiles, edited
from kalends.authn.apache import editing
from kalends.authn.apache.htfiles import decode_name, parse_htdigest, parse_htpasswd
from kalends.authn.hashing import libcrypt
from kalends.authn.hashing.verify import PasswordVerifier
from kalends.cli.user.accounts import listed, require_utf8, say_what_is_new
from kalends.cli.user.installation import installation
from kalends.cli.user.terminal import say, shown, word
from kalends.common.names import folded_group, refusal_of_name
from kalends.config.settings import Settings
from kalends.errors import ConfigurationError
from kalends.store import account_data


def accounts(given: argparse.Namespace) -> int:
    """A line for each account, and for each home whose account has gone."""
    with installation(given.config) as there:
        files = UserFiles(there.settings, ALL)
        homes: frozenset[str] = frozenset()
        outsiders: frozenset[str] = frozenset()
        if there.store:
            with there.store.read() as connection:
                homes = account_data.homes(connection)
            outsiders = there.built.outsiders.names()
        named_feeds = there.built.named_feeds()
        logins = {name: ["the web server"] for name in outsiders} | _logins(files, there.settings)
        for name in sorted(homes | logins.keys()):
            said = logins.get(name, ["no account"])
            groups = files.groups_of(name)
            if groups:
                said = [*said, f"in {' '.join(sorted(map(word, groups)))}"]
            refusal = refusal_of_name(name, named_feeds)
            if refusal:
                said = [*said, f"no home: {refusal}"]
            else:
                said = [*said, "home" if name in homes else "no home yet"]
            say(f"{shown(name)}: {', '.join(said)}")
    return 0


def groups(given: argparse.Namespace) -> int:
    """List all groups, or one; or let names into one or out of it."""
    with installation(given.config) as there:
        if there.settings.htgroup is None:
            raise ConfigurationError(str(there.settings.path), "[auth] names no htgroup_filename")
        words: list[str] = given.words
        if len(words) > 2 and words[0] in ("add", "remove"):
            return _change(there.settings, words[1], words[2:], join=words[0] == "add")
        if len(words) > 1:
            raise AccountError("groups takes GROUP, add GROUP NAME..., or remove GROUP NAME...")
        found = UserFiles(there.settings, GROUPS).members()
        if words:
            require_utf8(words[0])
            wanted = [group for group in found if folded_group(group) == folded_group(words[0])]
            if not wanted:
                raise AccountError(f"there is no group {words[0]!r}")
            found = {group: found[group] for group in wanted}
        for group in sorted(found):
            say(f"{shown(group)}: {' '.join(sorted(map(word, found[group])))}".rstrip())
    return 0


def _change(settings: Settings, group: str, names: list[str], *, join: bool) -> int:
    require_utf8(group)
    for name in (group, *names) if join else ():
        refusal = editing.refusal_of_spelling(name)
        if refusal:
            raise AccountError(f"{name!r} cannot stand in a group file: {refusal}")
    known = UserFiles(settings, ALL).names()
    with edited(settings, GROUPS) as files:
        if join:
            files.join(group, names)
        else:
            inside = files.members_of(group)
            for name in names:
                if name not in inside:
                    raise AccountError(f"{name!r} is not in the group {group!r}")
            files.leave(group, names)
    done = f"are in the group {shown(group)}" if join else f"have left the group {shown(group)}"
    say(f"{listed(list(map(shown, names)))} {done}")
    say_what_is_new(files)
    for name in names:
        if join and name not in known:
            say(f"note: no user file has an account {shown(name)}")
    return 0


def _logins(files: UserFiles, settings: Settings) -> dict[str, list[str]]:
    """By account, which files it is in, and how; never the hash."""
    found: dict[str, list[str]] = {}
    verifier = PasswordVerifier(libcrypt.load())
    passwords = parse_htpasswd(files.texts.get("htpasswd", b""))
    for spelt in passwords.lines:
        entry = passwords.find(spelt)
        if spelt and entry:
            refusal = verifier.refusal(entry.stored)
            format_ = f"no login: {refusal}" if refusal else verifier.format_of(entry.stored)
            found.setdefault(decode_name(spelt), []).append(f"htpasswd ({format_})")
    digests, realm = parse_htdigest(files.texts.get("htdigest", b"")), settings.realm.encode()
    for name in digests.accounts(realm).names:
        entries = (digests.find(spelt, realm) for spelt in _spellings(name))
        hashes = next((entry for entry in entries if entry), None)
        kinds = [
            k
            for k, h in (("MD5", hashes and hashes.md5), ("SHA-256", hashes and hashes.sha256))
            if h
        ]
        found.setdefault(name, []).append(f"htdigest ({' and '.join(kinds)})")
    return found


def _spellings(name: str) -> tuple[bytes, ...]:
    """The bytes that a name can stand for in a file."""
    return name.encode(), name.encode("latin-1", "replace")
