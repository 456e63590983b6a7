"""The feeds, as files and as pages, and the account page of one installation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from kalends.app.container import Container, FeedServices
from kalends.authn.middleware import USER_KEY
from kalends.common.budget import IMPORT_STEPS, Budget, Steps
from kalends.common.names import refusal_of_name
from kalends.common.wsgi import Environ, StartResponse
from kalends.events import CommitEvents
from kalends.feeds.access import address_of
from kalends.feeds.http import FeedApplication
from kalends.ical.limits import FILE_OF_A_REQUEST
from kalends.transfer.import_file import ImportResult, import_data
from kalends.webui.account.collections import AccountCollections
from kalends.webui.account.csrf_token import CsrfTokens
from kalends.webui.account.feeds import VisibleFeeds
from kalends.webui.account.import_form import ImportForm
from kalends.webui.account.views import AccountApplication
from kalends.webui.feed.views import FeedPageApplication


class FeedRequests:
    """WSGI application for all addresses below ``/feeds/``.

    Args:
        feeds: the services for feeds.
        steps: what a page may cost.
    """

    def __init__(self, feeds: FeedServices, steps: Steps) -> None:
        self._file = FeedApplication(feeds.access, feeds.cache)
        self._page = FeedPageApplication(feeds.access, feeds.cache, feeds.source, steps=steps)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request: for the file of a feed, or for its page."""
        is_read = environ["REQUEST_METHOD"] in ("GET", "HEAD")
        for_page = is_read and not address_of(environ).is_file
        return (self._page if for_page else self._file)(environ, start_response)


def account_page(
    container: Container, places_of: Callable[[str], Collection[str]], commits: CommitEvents
) -> AccountApplication:
    """Return the application of the account page.

    Args:
        container: the installation.
        places_of: returns the groups of an account, as their calendars' paths name them.
        commits: receives the writes of the page.

    Raises:
        ConfigurationError: the key of the CSRF tokens cannot be made or read.
    """
    settings, database, feeds = container.settings, container.database, container.feeds

    def import_octets(data: bytes, name: str, target: str) -> ImportResult:
        return import_data(
            database,
            data,
            Path(name),
            target,
            limits=settings.object_limits,
            first_collections=settings.first_collections,
            imported={},
            size=FILE_OF_A_REQUEST,
            budget=Budget(IMPORT_STEPS, settings.object_limits.steps),
        )

    homes = AccountCollections(
        database, settings.first_collections, places_of, commits, container.whole
    )
    return AccountApplication(
        homes,
        VisibleFeeds(feeds.registry, feeds.secrets, commits) if feeds else None,
        ImportForm(homes, import_octets, commits),
        CsrfTokens(container.shared_auth_state().key()),
        refusal_of=lambda user: refusal_of_name(user, container.named_feeds()),
        schemes=settings.schemes,
        largest=settings.max_content_length,
        user_key=USER_KEY,
    )
