"""``kalends feed``: list, publish and hide feeds, and show their addresses."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import quote

from tqdm import tqdm

from kalends.app import container
from kalends.cli.registration import AddCommand
from kalends.errors import KalendsError
from kalends.feeds.access import PREFIX
from kalends.feeds.definitions.model import Feed
from kalends.feeds.state import OWNER_ONLY, is_owner_only
from kalends.store import collections
from kalends.store.feed_deliveries import Delivery

_AUDIENCES = {
    "owner": "its owner",
    "login": "everyone who logs in",
    "secret": "holders of a secret address",
    "public": "everybody",
}
_HIDDEN = "only in its owner's feed"
_EPILOG = """\
list      list the feeds and where each is published, with the reason if it is behind
url       show the address of FEED; with --user the secret one of USER, for programs without login
refresh   compose FEED (or all feeds) again and publish at once, even after failures
rotate    make a new secret address for USER; the old one stops working
hide      remove CALENDAR, such as alice/diary, from all feeds but its owner's
show      include a hidden CALENDAR again in all feeds that name it
"""


class FeedError(KalendsError):
    """A feed, calendar or user that the action cannot be applied to."""


def register(add_command: AddCommand) -> None:
    """Add the command ``feed``."""
    parser = add_command("feed", run, "List, publish or hide feeds, or show their addresses.")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("action", choices=[*_ACTIONS])
    parser.add_argument("name", nargs="?", metavar="FEED|CALENDAR")
    parser.add_argument("--user", metavar="USER", help="the user of a secret address (url, rotate)")


def run(args: argparse.Namespace) -> int:
    """Run one action.

    Raises:
        KalendsError: the action is not possible.
    """
    with container.build(args.config) as built:
        return _ACTIONS[args.action](built, args)


def _list(built: container.Container, args: argparse.Namespace) -> int:
    feeds = built.require_feeds()
    wanted = [_require_feed(feeds, args.name)] if args.name else list(feeds.registry.feeds())
    reports = dict(_publication_lines(feeds))
    for feed, state in zip(wanted, feeds.cache.states(wanted), strict=True):
        audience = _AUDIENCES.get(feed.access.kind) or ", ".join(feed.access.names)
        number = _count(len(state.calendars), "calendar")
        _print_line(f"{feed.name}: {feed.rules.title}, {number}, for {audience}")
        for line in reports.pop(feed.name, []):
            _print_line(f"    {line}")
        unreadable = feeds.cache.unreadable(feed)
        if unreadable:
            _print_line(f"    {len(unreadable)} left out (unreadable):")
        for one in unreadable:
            _print_line(f"        {one}")
    if not args.name:
        for line in reports.pop("", []):
            _print_line(line)
        with built.database.read() as connection:
            for row in collections.list_by_tag(connection, "VCALENDAR"):
                if is_owner_only(row.props):
                    _print_line(f"/{row.path}/: {_HIDDEN}")
    return 0


def _url(built: container.Container, args: argparse.Namespace) -> int:
    feeds = built.require_feeds()
    feed = _require_feed(feeds, args.name)
    if not args.user:
        if feed.access.kind == "secret":
            raise FeedError(f"the feed {feed.name!r} has only secret addresses; add --user USER")
        _print_address(built, f"{quote(feed.name)}.ics")
        return 0
    _require_right(feeds, feed, args.user)
    secret = feeds.secrets.secret_for(feed.name, args.user)
    _print_address(built, f"s/{secret}/{quote(feed.name)}.ics")
    built.catch_up()
    return 0


def _rotate(built: container.Container, args: argparse.Namespace) -> int:
    feeds = built.require_feeds()
    feed = _require_feed(feeds, args.name)
    if not args.user:
        raise FeedError("feed rotate needs FEED and --user USER")
    if args.user in feeds.secrets.secrets_of_feed(feed.name) and not feeds.registry.may_see(
        feed, args.user
    ):
        # Without this, the address would work again as soon as the user may see the feed again.
        feeds.secrets.rotate(feed.name, args.user)
        _print_line(
            f"the address of {feed.name!r} for {args.user!r}, who may not see it, no longer works"
        )
    else:
        _require_right(feeds, feed, args.user)
        secret = feeds.secrets.rotate(feed.name, args.user)
        _print_address(built, f"s/{secret}/{quote(feed.name)}.ics")
    built.catch_up()
    return 0


def _refresh(built: container.Container, args: argparse.Namespace) -> int:
    feeds = built.require_feeds()
    wanted = [_require_feed(feeds, args.name)] if args.name else list(feeds.registry.feeds())
    addresses = [url for feed in wanted for url in feed.remotes]
    with built.naming_feeds_folder():
        for feed in tqdm(wanted, unit="feed", disable=None, leave=False):
            feeds.cache.discard(feed)
            feeds.cache.open(feed)[1].close()
        built.catch_up()
        for url in tqdm(addresses, unit="address", disable=None, leave=False):
            feeds.remote_publisher.publish_now([url])
    deliveries = feeds.remote_publisher.deliveries()
    failed = [deliveries[u] for u in addresses if u in deliveries and deliveries[u].failures]
    for delivery in failed:
        sys.stderr.write(f"{delivery.target}: {delivery.why}\n")
    composed = f"{_count(len(wanted), 'feed')} composed"
    _print_line(f"{composed}, {len(addresses) - len(failed)} published on other servers")
    return 1 if failed else 0


def _hide(built: container.Container, args: argparse.Namespace) -> int:
    return _set_visibility(built, args.name, "owner")


def _show(built: container.Container, args: argparse.Namespace) -> int:
    return _set_visibility(built, args.name, None)


def _set_visibility(built: container.Container, name: str | None, value: str | None) -> int:
    """Set or remove the property that keeps a calendar out of feeds."""
    path = (name or "").strip("/")
    with built.database.write(path) as connection:
        row = collections.find_collection(connection, path)
        if row is None or row.tag != "VCALENDAR":
            raise FeedError(f"there is no calendar {name or ''!r}; name one such as alice/work")
        props = {key: known for key, known in row.props.items() if key != OWNER_ONLY}
        props.update({OWNER_ONLY: value} if value else {})
        if props != row.props:
            collections.set_props(connection, row.id, props)
    _print_line(f"/{path}/: {_HIDDEN if value else 'in each feed that names it'}")
    built.catch_up()
    return 0


_ACTIONS: dict[str, Callable[[container.Container, argparse.Namespace], int]] = {
    "list": _list,
    "url": _url,
    "refresh": _refresh,
    "rotate": _rotate,
    "hide": _hide,
    "show": _show,
}


def _require_feed(feeds: container.FeedServices, name: str | None) -> Feed:
    if not name:
        raise FeedError("name a FEED; `kalends feed list` lists them")
    found = feeds.registry.feed(name)
    if found is None:
        raise FeedError(f"there is no feed {name!r}; `kalends feed list` lists them")
    return found


def _require_right(feeds: container.FeedServices, feed: Feed, user: str) -> None:
    if feed.access.kind == "secret" and feed.owner not in (None, user):
        raise FeedError(f"the feed {feed.name!r} is secret and only for its owner")
    if not feeds.registry.may_see(feed, user):
        raise FeedError(f"{user!r} may not see the feed {feed.name!r}")


def _publication_lines(feeds: container.FeedServices) -> Iterator[tuple[str, list[str]]]:
    """Yield the lines for the targets of each feed; those to be removed are under no name."""
    lines: dict[str, list[str]] = {}
    for file in feeds.publisher.expected_files():
        state = "up to date" if file.is_current else "behind"
        lines.setdefault(file.feed.name, []).append(f"{file.display_name}: {state}")
    wanted, known = feeds.remote_publisher.feeds_by_url(), feeds.remote_publisher.deliveries()
    states = feeds.cache.states(list(wanted.values()))
    for (url, feed), newest in zip(wanted.items(), states, strict=True):
        is_current = feeds.remote_publisher.is_current(feed, newest, known.get(url))
        lines.setdefault(feed.name, []).append(
            f"{url}: {_delivery_state(known.get(url), is_current=is_current)}"
        )
    left = [f"to be removed: {file}" for file in feeds.publisher.obsolete_files()]
    left += [
        f"to be removed: {url}{_failure_note(known[url])}" for url in known if url not in wanted
    ]
    yield from lines.items()
    yield "", left


def _delivery_state(delivery: Delivery | None, *, is_current: bool) -> str:
    if delivery is None or delivery.delivered is None:
        return f"not there yet{_failure_note(delivery)}"
    since = _format_time(delivery.delivered)
    if is_current:
        return f"up to date since {since}"
    return f"behind, last published {since}{_failure_note(delivery)}"


def _failure_note(delivery: Delivery | None) -> str:
    if delivery is None or not delivery.failures:
        return ""
    times = f"failed {delivery.failures} times" if delivery.failures > 1 else "failed"
    retry = "now" if delivery.due <= time.time() else f"at {_format_time(delivery.due)}"
    return f"; {times}: {delivery.why}; next attempt {retry}"


def _format_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _print_address(built: container.Container, below: str) -> None:
    """Print an address; as a URL and for subscribing if the public address is known."""
    base = built.settings.public_url
    if not base:
        _print_line(f"{PREFIX}{below}")
        return
    url = f"{base}{PREFIX}{below}"
    _print_line(url)
    _print_line(f"webcal://{url.partition('://')[2]}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
