"""``kalends user list | groups``."""

from __future__ import annotations

import argparse

from kalends.authn.account_editing import ALL, GROUPS, AccountError, UserFiles, edited
from kalends.authn.apache import editing
from kalends.authn.apache.htfiles import decode_name, parse_htdigest, parse_htpasswd
from kalends.authn.hashing import libcrypt
from kalends.authn.hashing.verify import PasswordVerifier
from kalends.cli.user.accounts import join_words, report_new_files, require_utf8
from kalends.cli.user.installation import open_installation
from kalends.cli.user.terminal import print_line, printable, quote_name
from kalends.common.names import folded_group, refusal_of_name
from kalends.config.settings import Settings
from kalends.errors import ConfigurationError
from kalends.store import account_data


def list_accounts(args: argparse.Namespace) -> int:
    """Print a line for each account, and for each home that has no account any more."""
    with open_installation(args.config) as context:
        files = UserFiles(context.settings, ALL)
        homes: frozenset[str] = frozenset()
        external: frozenset[str] = frozenset()
        if context.store:
            with context.store.read() as connection:
                homes = account_data.list_homes(connection)
            external = context.built.external_accounts.names()
        named_feeds = context.built.named_feeds()
        logins = {name: ["the web server"] for name in external} | _find_logins(
            files, context.settings
        )
        for name in sorted(homes | logins.keys()):
            notes = logins.get(name, ["no account"])
            groups = files.groups_of(name)
            if groups:
                notes = [*notes, f"in {' '.join(sorted(map(quote_name, groups)))}"]
            refusal = refusal_of_name(name, named_feeds)
            if refusal:
                notes = [*notes, f"no home: {refusal}"]
            else:
                notes = [*notes, "home" if name in homes else "no home yet"]
            print_line(f"{printable(name)}: {', '.join(notes)}")
    return 0


def list_or_change_groups(args: argparse.Namespace) -> int:
    """Print all groups or one, or add or remove members of one."""
    with open_installation(args.config) as context:
        if context.settings.htgroup is None:
            path = str(context.settings.path)
            raise ConfigurationError(path, "[auth] htgroup_filename is not set")
        words: list[str] = args.words
        if len(words) > 2 and words[0] in ("add", "remove"):
            return _change_members(context.settings, words[1], words[2:], join=words[0] == "add")
        if len(words) > 1:
            raise AccountError("name a GROUP, or use add GROUP NAME..., or remove GROUP NAME...")
        found = UserFiles(context.settings, GROUPS).members()
        if words:
            require_utf8(words[0])
            wanted = [group for group in found if folded_group(group) == folded_group(words[0])]
            if not wanted:
                raise AccountError(f"there is no group {words[0]!r}")
            found = {group: found[group] for group in wanted}
        for group in sorted(found):
            members = " ".join(sorted(map(quote_name, found[group])))
            print_line(f"{printable(group)}: {members}".rstrip())
    return 0


def _change_members(settings: Settings, group: str, names: list[str], *, join: bool) -> int:
    require_utf8(group)
    for name in (group, *names) if join else ():
        refusal = editing.refusal_of_spelling(name)
        if refusal:
            raise AccountError(f"{name!r} cannot be in a group file: {refusal}")
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
    result = "are in the group" if join else "have left the group"
    print_line(f"{join_words(list(map(printable, names)))} {result} {printable(group)}")
    report_new_files(files)
    for name in names:
        if join and name not in known:
            print_line(f"note: no user file has an account {printable(name)}")
    return 0


def _find_logins(files: UserFiles, settings: Settings) -> dict[str, list[str]]:
    """Return the files of each account with the kinds of hashes, never the hashes."""
    found: dict[str, list[str]] = {}
    verifier = PasswordVerifier(libcrypt.load())
    passwords = parse_htpasswd(files.texts.get("htpasswd", b""))
    for spelt in passwords.lines:
        entry = passwords.find(spelt)
        if spelt and entry:
            refusal = verifier.refusal(entry.stored)
            hash_format = f"no login: {refusal}" if refusal else verifier.format_of(entry.stored)
            found.setdefault(decode_name(spelt), []).append(f"htpasswd ({hash_format})")
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
    """Return the byte strings that can be a name in a file."""
    return name.encode(), name.encode("latin-1", "replace")
