"""``kalends check``: what is wrong with an installation, one line each."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from kalends.assembly import Assembly
from kalends.errors import KalendsError
from kalends.icsfeed import remotes
from kalends.names import refusal_of_group, refusal_of_name
from kalends.store import verify


def problems(built: Assembly) -> Iterator[str]:
    """Everything that is wrong; nothing if all is well."""
    yield from _account_problems(built)
    yield from _group_problems(built)
    yield from _feed_problems(built)
    with built.database.read() as connection:
        yield from verify.problems(connection)


def _account_problems(built: Assembly) -> Iterator[str]:
    try:
        names = built.directory.names()
    except KalendsError as error:
        yield str(error)
        return
    for name in sorted(names):
        refusal = refusal_of_name(name, built.named_feeds())
        if refusal:
            yield f"{name!r} may log in but has no home and no feed: {refusal}"
    yield from _left_out(built, names)


def _left_out(built: Assembly, names: Collection[str]) -> Iterator[str]:
    """The accounts that an offered scheme does not let in."""
    settings, directory = built.settings, built.directory
    unverifiable = directory.unverifiable()
    for name, why in sorted(unverifiable.items()):
        yield f"{settings.htpasswd}: no password can be verified for {name!r}: {why}"
    if "basic" in settings.schemes:
        for name in sorted(set(names) - directory.basic_names() - set(unverifiable)):
            yield f"{name!r} cannot log in with HTTP Basic: {_place(settings.htpasswd)} has no line"
    if "digest" in settings.schemes or (settings.feeds_hosts and settings.htdigest):
        for name in sorted(set(names) - directory.digest_names()):
            yield (
                f"{name!r} cannot log in with HTTP Digest: {_place(settings.htdigest)} has no line "
                f"of the realm {settings.realm!r}"
            )
        if set(settings.realm) & set('"\\') or not settings.realm.isascii():
            yield (
                f"{settings.path}: [auth] realm = {settings.realm}: many clients fail at HTTP "
                "Digest where the realm holds quotes, backslashes or other than ASCII characters"
            )
    elif settings.htdigest and not settings.basic_from_htdigest and not settings.feeds_hosts:
        yield (
            f"{settings.path}: [auth] htdigest_filename lets nobody in: schemes does not offer "
            "digest, and basic_from_htdigest is off"
        )


def _place(path: Path | None) -> str:
    return str(path) if path else "no file that counts"


def _group_problems(built: Assembly) -> Iterator[str]:
    try:
        groups = built.directory.members()
    except KalendsError as error:
        yield str(error)
        return
    for name in sorted(groups):
        refusal = refusal_of_group(name)
        if refusal:
            yield f"{built.settings.htgroup}: the group {name!r} has no calendars: {refusal}"


def _feed_problems(built: Assembly) -> Iterator[str]:
    try:
        built.named_feeds()
        if built.settings.remotes:
            remotes.load(built.settings.remotes)
    except KalendsError as error:
        yield str(error)
