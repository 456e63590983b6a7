"""Import of an uploaded file into one of the user's calendars or address books."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus

from kalends.common import progress
from kalends.errors import StoreBusyError
from kalends.events import Change, CommitEvents
from kalends.transfer.import_file import ImportResult, ImportTargetError
from kalends.webui.account.collections import AccountCollection, AccountCollections
from kalends.webui.account.errors import PageRefusedError
from kalends.webui.account.forms import Form

_WAIT_SECONDS = 60
"""How long an upload waits for the one before it, seconds."""

ImportData = Callable[[bytes, str, str], ImportResult]
"""Imports octets: the octets, the file's name, and the path of the collection."""


class ImportForm:
    """Importer of uploaded files, one at a time: each takes many times its size of memory.

    Args:
        collections: the collections that a user may import into.
        import_data: imports the octets of a file.
        commits: receives the collections that were changed.
    """

    def __init__(
        self, collections: AccountCollections, import_data: ImportData, commits: CommitEvents
    ) -> None:
        self._collections = collections
        self._commits = commits
        self._import_data = import_data
        self._lock = threading.Lock()

    def import_file(self, user: str, form: Form) -> tuple[AccountCollection, ImportResult]:
        """Import the file in a form.

        Returns:
            The collection, and the result of the import.

        Raises:
            PageRefusedError: the form has no file, or its collection cannot take the file.
            StoreBusyError: other imports take too long.
        """
        target = self._target(user, form.fields.get("into", ""))
        if form.file is None:
            why = "Choose a file first: an .ics with events or tasks, or a .vcf with contacts."
            raise PageRefusedError(HTTPStatus.BAD_REQUEST, "No file", why)
        progress.report(_WAIT_SECONDS)
        if not self._lock.acquire(timeout=_WAIT_SECONDS):
            raise StoreBusyError
        try:
            result = self._import_data(form.file.raw, form.file_name, target.path)
        except ImportTargetError:
            holds = "events or tasks" if target.kind == "VADDRESSBOOK" else "contacts"
            why = f"{form.file_name} seems to contain {holds}, which {target.title} cannot take."
            raise PageRefusedError(HTTPStatus.CONFLICT, "Wrong kind of file", why) from None
        finally:
            self._lock.release()
        if result.merged.is_change:
            self._commits.publish([Change(target.path, "put")], user)
        return target, result

    def _target(self, user: str, path: str) -> AccountCollection:
        found = next((one for one in self._collections.list_for(user) if one.path == path), None)
        if found is None:
            why = "That calendar does not exist any more. Nothing was changed."
            raise PageRefusedError(HTTPStatus.NOT_FOUND, "No such calendar", why)
        return found
