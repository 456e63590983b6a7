"""``kalends check``: what is wrong with an installation, one line each.

It looks, and changes nothing: a database that is not there yet would belong to whoever asks, and
one of an older schema is upgraded by the server that needs it.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from kalends.app.container import Container
from kalends.cli.check import files, tls
from kalends.common.names import refusal_of_group, refusal_of_name
from kalends.config import loader
from kalends.errors import KalendsError, SchemaVersionError, UserFileUnavailableError
from kalends.feeds.definitions import remote_credentials
from kalends.store import integrity, schema_version, statistics
from kalends.store.engine import open_database

_MOMENT = 60
"""Seconds that clocks may differ, and that publishing a feed may take."""


def problems(config: Path) -> Iterator[str]:
    """Everything that is wrong; nothing if all is well.

    Raises:
        KalendsError: so much is wrong that nothing else can be looked at.
    """
    loaded = loader.load(config)
    settings = loaded.settings
    database = open_database(settings.database)
    try:
        built = Container(loaded, database)
        yield from _account_problems(built)
        yield from _group_problems(built)
        yield from _feed_problems(built)
        yield from files.problems(built)
        yield from tls.problems(settings)
        if database.exists():
            yield from _store_problems(built)
    finally:
        database.close()


def _store_problems(built: Container) -> Iterator[str]:
    with built.database.read() as connection:
        found = schema_version.of(connection)
        if found is None:
            return  # the first start makes the tables
        if found not in schema_version.known():
            raise SchemaVersionError(built.database.name, found, schema_version.NEWEST)
        if found != schema_version.NEWEST:
            yield (
                f"{built.database.name}: its schema is {found}, and this Kalends uses "
                f"{schema_version.NEWEST}; the next start copies and upgrades it"
            )
            return
        yield from integrity.problems(connection)
        yield from _clock_problems(connection)
    yield from _published_problems(built)


def _clock_problems(connection: Connection) -> Iterator[str]:
    limit = (time.time() + _MOMENT) * 1_000_000
    newest = statistics.newest_change(connection)
    if newest > limit:
        moment = datetime.fromtimestamp(newest / 1_000_000, UTC)
        yield (
            f"the clock: something was changed at {moment:%Y-%m-%d %H:%M} UTC, which is still to "
            "come; either the clock was wrong then, or it is now"
        )


def _published_problems(built: Container) -> Iterator[str]:
    """Where feeds are not what they should be, for longer than publishing takes."""
    feeds = built.feeds
    if feeds is None:
        return
    try:
        standing = feeds.publisher.standing() if feeds.publisher.has_begun else []
        late = [file for file in standing if not file.is_current]
        states = feeds.cache.states([file.feed for file in late])
        wanted, known = feeds.remote_publisher.wanted(), feeds.remote_publisher.known()
        all_feeds = list(feeds.registry.feeds())
    except KalendsError:  # the files that cannot be read have their line already
        return
    for file, state in zip(late, states, strict=True):
        if state.changed and state.changed < time.time() - _MOMENT:
            name = file.feed.name
            yield (
                f"feed {name}: {file.shown} is behind; where no server runs, or after it was "
                f"mended, `kalends feed refresh {name}` publishes it"
            )
    for url, feed in wanted.items():
        delivery = known.get(url)
        if delivery and delivery.failures:
            yield f"feed {feed.name}: {url} refused it {delivery.failures} times: {delivery.why}"
    for feed in all_feeds:
        for one in feeds.cache.unreadable(feed):
            yield f"feed {feed.name}: left out, cannot be read: {one}"


def _account_problems(built: Container) -> Iterator[str]:
    try:
        names = built.directory.names()
    except UserFileUnavailableError as error:
        is_new = error.why == os.strerror(errno.ENOENT)
        yield f"{error}; `kalends user add NAME` makes it" if is_new else str(error)
        return
    except KalendsError as error:
        yield str(error)
        return
    for name in sorted(names):
        refusal = refusal_of_name(name, built.named_feeds())
        if refusal:
            yield f"{name!r} may log in but has no home and no feed: {refusal}"
    yield from _left_out(built, names)


def _left_out(built: Container, names: Collection[str]) -> Iterator[str]:
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
    elif (
        settings.schemes == ("basic",)
        and settings.htdigest
        and not (settings.basic_from_htdigest or settings.feeds_hosts)
    ):
        # With `none` the web server may use it.
        yield (
            f"{settings.path}: [auth] htdigest_filename lets nobody in: schemes does not offer "
            "digest, and basic_from_htdigest is off"
        )


def _place(path: Path | None) -> str:
    return str(path) if path else "no file that counts"


def _group_problems(built: Container) -> Iterator[str]:
    try:
        groups = built.directory.members()
    except KalendsError as error:
        yield str(error)
        return
    for name in sorted(groups):
        refusal = refusal_of_group(name)
        if refusal:
            yield f"{built.settings.htgroup}: the group {name!r} has no calendars: {refusal}"


def _feed_problems(built: Container) -> Iterator[str]:
    try:
        built.named_feeds()
        if built.settings.remotes:
            remote_credentials.load(built.settings.remotes)
    except KalendsError as error:
        yield str(error)
