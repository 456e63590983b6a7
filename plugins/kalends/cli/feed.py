"""``kalends feed list | url | refresh | rotate | hide | show``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import quote

from tqdm import tqdm

from kalends.app import container
from kalends.errors import KalendsError
from kalends.feeds.access import PREFIX
from kalends.feeds.definitions.model import Feed
from kalends.feeds.state import OWNER_ONLY, is_owner_only
from kalends.store import collections
from kalends.store.feed_deliveries import Delivery

_WHO = {
    "owner": "its owner",
    "login": "whoever logs in",
    "secret": "holders of a secret address",
    "public": "everybody",
}
_MARKED = "in its owner's feed alone"
_EPILOG = """\
list      which feeds there are, where each is published, and what is behind and why
url       the address of FEED; with --user that person's secret one, for programs that cannot log in
refresh   compose FEED (or all of them) anew, and publish it at once, whatever failed before
rotate    make a new secret address; the old one ends
hide      keep CALENDAR, such as alice/diary, out of all feeds but its owner's
show      let CALENDAR into the feeds again that name it
"""


class FeedError(KalendsError):
    """What was asked for does not fit the feeds that there are."""


def register(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command ``feed``."""
    parser = command("feed", run, "List the merged feeds, tell their addresses, publish them anew.")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("action", choices=[*_ACTIONS])
    parser.add_argument("name", nargs="?", metavar="FEED|CALENDAR")
    parser.add_argument("--user", metavar="USER", help="whose secret address (url, rotate)")


def run(given: argparse.Namespace) -> int:
    """Do what was asked.

    Raises:
        KalendsError: it cannot be done; nothing was changed.
    """
    with container.build(given.config) as built:
        return _ACTIONS[given.action](built, given)


def _list(built: container.Container, given: argparse.Namespace) -> int:
    feeds = built.require_feeds()
    wanted = [_named(feeds, given.name)] if given.name else list(feeds.registry.feeds())
    reports = dict(_places(feeds))
    for feed, state in zip(wanted, feeds.cache.states(wanted), strict=True):
        who = _WHO.get(feed.access.kind) or ", ".join(feed.access.names)
        shown = _counted(len(state.calendars), "calendar")
        _say(f"{feed.name}: {feed.rules.title}, {shown}, for {who}")
        for line in reports.pop(feed.name, []):
            _say(f"    {line}")
        unreadable = feeds.cache.unreadable(feed)
        if unreadable:
            _say(f"    {len(unreadable)} left out, which cannot be read:")
        for one in unreadable:
            _say(f"        {one}")
    if not given.name:
        for line in reports.pop("", []):
            _say(line)
        with built.database.read() as connection:
            for row in collections.with_tag(connection, "VCALENDAR"):
                if is_owner_only(row.props):
                    _say(f"/{row.path}/: {_MARKED}")
    return 0


def _url(built: container.Container, given: argparse.Namespace) -> int:
    feeds = built.require_feeds()
    feed = _named(feeds, given.name)
    if not given.user:
        if feed.access.kind == "secret":
            raise FeedError(f"the feed {feed.name!r} has secret addresses alone; add --user USER")
        _say_address(built, f"{quote(feed.name)}.ics")
        return 0
    _require_right(feeds, feed, given.user)
    secret = feeds.secrets.secret_of(feed.name, given.user)
    _say_address(built, f"s/{secret}/{quote(feed.name)}.ics")
    built.catch_up()
    return 0


def _rotate(built: container.Container, given: argparse.Namespace) -> int:
    feeds = built.require_feeds()
    feed = _named(feeds, given.name)
    if not given.user:
        raise FeedError("feed rotate takes FEED --user USER")
    if given.user in feeds.secrets.held(feed.name) and not feeds.registry.may_see(feed, given.user):
        # It sleeps until they may see the feed again, unless it is ended now.
        feeds.secrets.rotate(feed.name, given.user)
        _say(f"the address that {given.user!r}, who may not see it, had of {feed.name!r} has ended")
    else:
        _require_right(feeds, feed, given.user)
        secret = feeds.secrets.rotate(feed.name, given.user)
        _say_address(built, f"s/{secret}/{quote(feed.name)}.ics")
    built.catch_up()
    return 0


def _refresh(built: container.Container, given: argparse.Namespace) -> int:
    feeds = built.require_feeds()
    wanted = [_named(feeds, given.name)] if given.name else list(feeds.registry.feeds())
    addresses = [url for feed in wanted for url in feed.remotes]
    with built.telling_of_feeds_folder():
        for feed in tqdm(wanted, unit="feed", disable=None, leave=False):
            feeds.cache.discard(feed)
            feeds.cache.open(feed)[1].close()
        built.catch_up()
        for url in tqdm(addresses, unit="address", disable=None, leave=False):
            feeds.remote_publisher.push([url])
    known = feeds.remote_publisher.known()
    failed = [known[url] for url in addresses if url in known and known[url].failures]
    for delivery in failed:
        sys.stderr.write(f"{delivery.target}: {delivery.why}\n")
    composed = f"{_counted(len(wanted), 'feed')} composed"
    _say(f"{composed}, {len(addresses) - len(failed)} brought to other servers")
    return 1 if failed else 0


def _hide(built: container.Container, given: argparse.Namespace) -> int:
    return _mark(built, given.name, "owner")


def _show(built: container.Container, given: argparse.Namespace) -> int:
    return _mark(built, given.name, None)


def _mark(built: container.Container, name: str | None, value: str | None) -> int:
    """Set the property that keeps a calendar out of feeds, or take it away."""
    path = (name or "").strip("/")
    with built.database.write(path) as connection:
        row = collections.find(connection, path)
        if row is None or row.tag != "VCALENDAR":
            raise FeedError(f"there is no calendar {name or ''!r}; name one such as alice/work")
        props = {key: known for key, known in row.props.items() if key != OWNER_ONLY}
        props.update({OWNER_ONLY: value} if value else {})
        if props != row.props:
            collections.set_props(connection, row.id, props)
    _say(f"/{path}/: {_MARKED if value else 'in each feed that names it'}")
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


def _named(feeds: container.FeedServices, name: str | None) -> Feed:
    if not name:
        raise FeedError("which FEED? `kalends feed list` tells them")
    found = feeds.registry.feed(name)
    if found is None:
        raise FeedError(f"there is no feed {name!r}; `kalends feed list` tells which")
    return found


def _require_right(feeds: container.FeedServices, feed: Feed, user: str) -> None:
    if feed.access.kind == "secret" and feed.owner not in (None, user):
        raise FeedError(f"the feed {feed.name!r} is secret, and so for its owner alone")
    if not feeds.registry.may_see(feed, user):
        raise FeedError(f"{user!r} may not see the feed {feed.name!r}")


def _places(feeds: container.FeedServices) -> Iterator[tuple[str, list[str]]]:
    """By feed, a line for each place where it is published; under no name what is left over."""
    lines: dict[str, list[str]] = {}
    for file in feeds.publisher.standing():
        state = "up to date" if file.is_current else "behind"
        lines.setdefault(file.feed.name, []).append(f"{file.shown}: {state}")
    wanted, known = feeds.remote_publisher.wanted(), feeds.remote_publisher.known()
    states = feeds.cache.states(list(wanted.values()))
    for (url, feed), newest in zip(wanted.items(), states, strict=True):
        lines.setdefault(feed.name, []).append(f"{url}: {_delivered(known.get(url), newest.key)}")
    left = [f"to be taken away: {file}" for file in feeds.publisher.left_over()]
    left += [f"to be taken away: {url}{_failure(known[url])}" for url in known if url not in wanted]
    yield from lines.items()
    yield "", left


def _delivered(delivery: Delivery | None, key: str) -> str:
    if delivery is None or delivery.delivered is None:
        return f"not there yet{_failure(delivery)}"
    since = _time(delivery.delivered)
    if delivery.key == key:
        return f"up to date since {since}"
    return f"behind, last brought there {since}{_failure(delivery)}"


def _failure(delivery: Delivery | None) -> str:
    if delivery is None or not delivery.failures:
        return ""
    times = f"failed {delivery.failures} times" if delivery.failures > 1 else "failed"
    again = "now" if delivery.due <= time.time() else f"at {_time(delivery.due)}"
    return f"; {times}: {delivery.why}; tried again {again}"


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _say_address(built: container.Container, below: str) -> None:
    """The address, whole and for programs that subscribe, where the outside is known."""
    outside = built.settings.public_url
    if not outside:
        _say(f"{PREFIX}{below}")
        return
    url = f"{outside}{PREFIX}{below}"
    _say(url)
    _say(f"webcal://{url.partition('://')[2]}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
