"""``kalends check``: checks of an installation, with one line for each problem.

The check changes nothing. It does not create a missing database, which would belong to the account
that runs the check, and leaves the upgrade of an older schema to the server.
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
from kalends.feeds.definitions.remote_credentials import load_remote_servers
from kalends.store import integrity, schema_version, statistics
from kalends.store.engine import open_database

_MOMENT = 60
"""Seconds that clocks may differ, and that publishing a feed may take."""


def check_installation(config: Path) -> Iterator[str]:
    """Yield a line for each problem.

    Args:
        config: the configuration file.

    Raises:
        KalendsError: an error that makes all further checks impossible.
    """
    loaded = loader.load(config)
    settings = loaded.settings
    database = open_database(settings.database)
    try:
        built = Container(loaded, database)
        yield from _account_problems(built)
        yield from _group_problems(built)
        yield from _feed_problems(built)
        yield from files.check_files(built)
        yield from tls.check_tls(settings)
        if database.exists():
            yield from _store_problems(built)
    finally:
        database.close()


def _store_problems(built: Container) -> Iterator[str]:
    with built.database.read() as connection:
        found = schema_version.current_version(connection)
        if found is None:
            return  # the first start of the server creates the tables
        if found not in schema_version.known_versions():
            raise SchemaVersionError(built.database.name, found, schema_version.NEWEST)
        if found != schema_version.NEWEST:
            yield (
                f"{built.database.name}: has schema {found}, and this version of Kalends uses "
                f"{schema_version.NEWEST}; the next start copies and upgrades it"
            )
            return
        yield from integrity.check_store(connection)
        yield from _clock_problems(connection)
    yield from _published_problems(built)


def _clock_problems(connection: Connection) -> Iterator[str]:
    limit = (time.time() + _MOMENT) * 1_000_000
    newest = statistics.newest_change(connection)
    if newest > limit:
        moment = datetime.fromtimestamp(newest / 1_000_000, UTC)
        yield (
            f"the clock: the last change is dated {moment:%Y-%m-%d %H:%M} UTC, in the future; the "
            "system clock was or is wrong: check it"
        )


def _published_problems(built: Container) -> Iterator[str]:
    """Yield published feeds that are out of date for longer than publishing takes."""
    feeds = built.feeds
    if feeds is None:
        return
    try:
        standing = feeds.publisher.expected_files() if feeds.publisher.has_published else []
        late = [file for file in standing if not file.is_current]
        states = feeds.cache.states([file.feed for file in late])
        wanted, known = feeds.remote_publisher.feeds_by_url(), feeds.remote_publisher.deliveries()
        all_feeds = list(feeds.registry.feeds())
    except KalendsError:  # a file that cannot be read has been reported already
        return
    for file, state in zip(late, states, strict=True):
        if state.changed and state.changed < time.time() - _MOMENT:
            name = file.feed.name
            yield (
                f"feed {name}: {file.display_name} is out of date; if the cause is fixed or no "
                f"server runs, publish it with `kalends feed refresh {name}`"
            )
    for url, feed in wanted.items():
        delivery = known.get(url)
        if delivery and delivery.failures:
            times = f"failed {delivery.failures} times"
            yield f"feed {feed.name}: publishing to {url} {times}: {delivery.why}"
    for feed in all_feeds:
        for one in feeds.cache.unreadable(feed):
            yield f"feed {feed.name}: left out because it cannot be read: {one}"


def _account_problems(built: Container) -> Iterator[str]:
    try:
        names = built.directory.names()
    except UserFileUnavailableError as error:
        is_new = error.why == os.strerror(errno.ENOENT)
        yield f"{error}; `kalends user add NAME` creates it" if is_new else str(error)
        return
    except KalendsError as error:
        yield str(error)
        return
    for name in sorted(names):
        refusal = refusal_of_name(name, built.named_feeds())
        if refusal:
            yield f"{name!r} can log in but has no home and no feed: {refusal}"
    yield from _login_problems(built, names)


def _login_problems(built: Container, names: Collection[str]) -> Iterator[str]:
    """Yield the accounts that cannot log in with one of the offered schemes."""
    settings, directory = built.settings, built.directory
    unverifiable = directory.unverifiable()
    for name, why in sorted(unverifiable.items()):
        yield f"{settings.htpasswd}: the password of {name!r} cannot be verified: {why}"
    if "basic" in settings.schemes:
        for name in sorted(set(names) - directory.basic_names() - set(unverifiable)):
            yield f"{name!r} cannot log in with HTTP Basic: {_no_password_line(settings.htpasswd)}"
    if "digest" in settings.schemes or (settings.feeds_hosts and settings.htdigest):
        for name in sorted(set(names) - directory.digest_names()):
            yield (
                f"{name!r} cannot log in with HTTP Digest: {settings.htdigest} has no line "
                f"of the realm {settings.realm!r}"
            )
        if set(settings.realm) & set('"\\') or not settings.realm.isascii():
            yield (
                f"{settings.path}: [auth] realm = {settings.realm}: many clients fail at HTTP "
                "Digest if the realm has quotes, backslashes or non-ASCII characters; change it"
            )
    elif (
        settings.schemes == ("basic",)
        and settings.htdigest
        and not (settings.basic_from_htdigest or settings.feeds_hosts)
    ):
        # With `none`, the web server may use the file.
        yield (
            f"{settings.path}: [auth] htdigest_filename is not used: schemes does not offer "
            "digest, and basic_from_htdigest is off"
        )


def _no_password_line(htpasswd: Path | None) -> str:
    return f"{htpasswd} has no line" if htpasswd else "[auth] htpasswd_filename is not set"


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
            load_remote_servers(built.settings.remotes)
    except KalendsError as error:
        yield str(error)
