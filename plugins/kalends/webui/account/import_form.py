"""A file of the person's own machine on its way into one of their calendars or address books."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus

from kalends.errors import StoreBusyError
from kalends.events import Change, CommitEvents
from kalends.transfer.import_file import ImportResult, ImportTargetError
from kalends.webui.account.collections import AccountCollection, AccountCollections
from kalends.webui.account.errors import PageRefusedError
from kalends.webui.account.forms import Form

_WAIT_SECONDS = 60
"""How long an upload waits for the one before it."""

ImportData = Callable[[bytes, str, str], ImportResult]
"""Imports octets of a file of that name into the collection at that path."""


class ImportForm:
    """Brings files in, one at a time: each takes many times its size of memory.

    Args:
        homes: where they may go.
        import_data: does it.
        commits: is told of what was brought in.
    """

    def __init__(
        self, homes: AccountCollections, import_data: ImportData, commits: CommitEvents
    ) -> None:
        self._homes = homes
        self._commits = commits
        self._import_data = import_data
        self._one = threading.Lock()

    def bring(self, user: str, form: Form) -> tuple[AccountCollection, ImportResult]:
        """Bring the file in a form in.

        Returns:
            where it went, and what became of it.

        Raises:
            RefusedError: there is no file in it, or it cannot go where the form says.
            StoreBusyError: others take too long.
        """
        target = self._target(user, form.fields.get("into", ""))
        if form.file is None:
            why = "Choose a file first: an .ics with events or tasks, or a .vcf with contacts."
            raise PageRefusedError(HTTPStatus.BAD_REQUEST, "No file", why)
        if not self._one.acquire(timeout=_WAIT_SECONDS):
            raise StoreBusyError
        try:
            result = self._import_data(form.file.raw, form.file_name, target.path)
        except ImportTargetError:
            holds = "events or tasks" if target.kind == "VADDRESSBOOK" else "contacts"
            why = f"{form.file_name} seems to hold {holds}, which {target.title} cannot take."
            raise PageRefusedError(HTTPStatus.CONFLICT, "Not into that one", why) from None
        finally:
            self._one.release()
        if result.merged.is_change:
            self._commits.publish([Change(target.path, "put")], user)
        return target, result

    def _target(self, user: str, path: str) -> AccountCollection:
        found = next((held for held in self._homes.of(user) if held.path == path), None)
        if found is None:
            why = "That calendar is not there any more. Nothing was changed."
            raise PageRefusedError(HTTPStatus.NOT_FOUND, "No such calendar", why)
        return found
