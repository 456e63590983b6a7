"""The tree of errors: each carries data, and becomes a status and a message in one table."""

from __future__ import annotations

from http import HTTPStatus

from kalends.limit_names import Limit


class KalendsError(Exception):
    """An error that the administrator can fix; never a bug in Kalends.

    ``str(error)`` is the one line that the command line prints.
    """


class ConfigurationError(KalendsError):
    """A configuration, feed or user file that cannot be used.

    Args:
        path: the file, as the administrator named it.
        why: what is wrong and what to do, without the path.
        line: the line, counted from 1, where one can be named.
    """

    def __init__(self, path: str, why: str, line: int | None = None) -> None:
        self.path = path
        self.why = why
        self.line = line
        place = f"{path}:{line}" if line is not None else path
        super().__init__(f"{place}: {why}")


class UserFileUnavailableError(KalendsError):
    """A user file cannot be read now: logins are refused with 503 until it can."""

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(f"{path}: {why}")


class DirectoryUnavailableError(KalendsError):
    """An external backend cannot verify a login now: the login is refused with 503.

    Args:
        why: the reason; never a secret.
    """

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"a directory of accounts cannot be asked: {why}")


class TooManyAttemptsError(Exception):
    """Too many logins are being delayed already; this one is not verified at all (503).

    Args:
        retry_after: seconds after which to try again.
    """

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"too many failed logins; try again in {retry_after} seconds")


class BodyRefusedError(Exception):
    """The body of a request cannot be accepted.

    Args:
        status: the status of the answer, such as 413 or 415.
        why: the reason, for a person.
        precondition: Radicale's short name of the WebDAV precondition that it fails, such as
            ``C:supported-filter`` (RFC 4791 section 7.8), or None if none fits.
        limit: the limit that it is beyond, or None.
    """

    def __init__(
        self,
        status: HTTPStatus,
        why: str = "",
        precondition: str | None = None,
        *,
        limit: Limit | None = None,
    ) -> None:
        self.status = status
        self.why = why or f"{status.phrase}."
        self.precondition = precondition
        self.limit = limit
        super().__init__(self.why)


class HeaderRefusedError(Exception):
    """A header field of a request that cannot be accepted.

    Args:
        status: the status of the answer, such as 400 or 502.
        why: the reason, for a person.
        limit: the limit that it is beyond, or None.
    """

    def __init__(self, status: HTTPStatus, why: str, *, limit: Limit | None = None) -> None:
        self.status = status
        self.why = why
        self.limit = limit
        super().__init__(why)


class ConditionFailedError(Exception):
    """A condition of the client's that does not hold (RFC 9110 section 13, RFC 4918 section 10.4).

    Args:
        header: the header field that states it.
    """

    def __init__(self, header: str) -> None:
        self.header = header
        super().__init__(f"the condition of {header} does not hold")


class BudgetSpentError(KalendsError):
    """Work that takes more steps than a request, or one object of it, may cost (403).

    Args:
        steps: the steps that it had.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        super().__init__(f"it takes more than {steps} steps to read")


class StoreFullError(KalendsError):
    """The disk is full; nothing of the write was stored (507)."""

    def __init__(self) -> None:
        super().__init__("no space left for the database")


class StoreUnavailableError(KalendsError):
    """The database cannot be used now; the request can be repeated (503)."""


class StoreGoneError(StoreUnavailableError):
    """The database server does not answer or refuses connections, or the database file is missing.

    Args:
        database: its URL, without the password.
        why: the message of the driver or the system, in one line.
    """

    def __init__(self, database: str, why: str) -> None:
        self.database = database
        self.why = why
        super().__init__(f"{database}: {why}")


class StoreBusyError(StoreUnavailableError):
    """Other writes took too long; nothing of this one was stored."""

    def __init__(self) -> None:
        super().__init__("other writes to the database took too long")


class StoreRefusedError(KalendsError):
    """A name or UID that the database cannot hold, or too much: nothing was stored (403).

    Args:
        why: the reason.
        limit: the limit that it is beyond, or None.
    """

    def __init__(self, why: str, *, limit: Limit | None = None) -> None:
        self.why = why
        self.limit = limit
        super().__init__(f"the database cannot hold it: {why}")


class HomeFullError(StoreRefusedError):
    """A home with as many calendars and address books as it may have: nothing was stored (507).

    Args:
        most: how many it may have.
    """

    def __init__(self, most: int) -> None:
        why = f"a home has {most} calendars and address books at most"
        super().__init__(why, limit=Limit.COLLECTIONS)


class UnpublishedError(KalendsError):
    """A published feed cannot be written or removed; it is retried.

    Args:
        file: its name, without a secret.
        why: the reason, without its path.
    """

    def __init__(self, file: str, why: str) -> None:
        self.file = file
        self.why = why
        super().__init__(f"{file}: {why}")


class SchemaVersionError(KalendsError):
    """The database was written by a newer version of Kalends."""

    def __init__(self, database: str, found: str, known: str) -> None:
        self.database = database
        self.found = found
        self.known = known
        super().__init__(
            f"{database}: its schema {found} is newer than this Kalends knows ({known}); "
            "install the Kalends that wrote it"
        )


class IcalendarSyntaxError(KalendsError):
    """Text that is not made of content lines and balanced components (RFC 5545 section 3.1).

    Args:
        line: the physical line, counted from 1.
        why: the reason.
        limit: the limit that it is beyond, or None.
    """

    def __init__(self, line: int, why: str, *, limit: Limit | None = None) -> None:
        self.line = line
        self.why = why
        self.limit = limit
        super().__init__(f"line {line}: {why}")


class TextTooLargeError(IcalendarSyntaxError):
    """Text with more lines, components or parameters than are read (413)."""


class ObjectRefusedError(KalendsError):
    """A calendar object or card that may not be stored.

    Args:
        precondition: Radicale's short name of the WebDAV precondition that it fails, such as
            ``C:valid-calendar-data`` (RFC 4791 section 5.3.2.1), or None if none fits.
        why: the reason, for a person.
        line: the line of the object, counted from 1, where one can be named.
        limit: the limit that it is beyond, or None.
    """

    def __init__(
        self,
        precondition: str | None,
        why: str,
        line: int | None = None,
        *,
        limit: Limit | None = None,
    ) -> None:
        self.precondition = precondition
        self.why = why
        self.line = line
        self.limit = limit
        super().__init__(f"line {line}: {why}" if line is not None else why)


class ReportRefusedError(KalendsError):
    """A REPORT that fails a precondition (RFC 3253 section 1.6).

    Args:
        precondition: Radicale's short name of it, such as ``C:valid-filter`` (RFC 4791 section
            7.8).
        why: the reason, for a person.
        culprit: the element that is refused and its name, such as ``("C:prop-filter", "X-A")``,
            where the precondition names one.
        limit: the limit that it is beyond, or None.
    """

    def __init__(
        self,
        precondition: str,
        why: str,
        culprit: tuple[str, str] | None = None,
        *,
        limit: Limit | None = None,
    ) -> None:
        self.precondition = precondition
        self.why = why
        self.culprit = culprit
        self.limit = limit
        super().__init__(why)
