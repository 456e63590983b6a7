"""``kalends check``: what is wrong with an installation, one line each."""

from __future__ import annotations

from collections.abc import Iterator

from kalends.assembly import Assembly
from kalends.errors import KalendsError
from kalends.names import refusal_of_name
from kalends.store import verify


def problems(built: Assembly) -> Iterator[str]:
    """Everything that is wrong; nothing if all is well."""
    yield from _account_problems(built)
    yield from _feed_problems(built)
    with built.database.read() as connection:
        yield from verify.problems(connection)


def _account_problems(built: Assembly) -> Iterator[str]:
    path = built.settings.htpasswd
    try:
        names = built.directory.names()
    except KalendsError as error:
        yield str(error)
        return
    for name in sorted(names):
        refusal = refusal_of_name(name, built.named_feeds())
        if refusal:
            yield f"{path}: {name!r} may log in but has no home and no feed: {refusal}"


def _feed_problems(built: Assembly) -> Iterator[str]:
    try:
        built.named_feeds()
    except KalendsError as error:
        yield str(error)
