"""Apple's Calendar Server: what ``calendarserver_export`` writes, and its folders of documents.

``calendarserver_export --directory`` writes one file for each collection, ``HOME_NAME.ics`` or
``.vcf``, where HOME is the GUID of an account; a calendar's own name, colour and address stand in
the file as NAME, COLOR and SOURCE. Servers before 2012 kept files instead of a database, at
``calendars/__uids__/12/34/GUID/NAME/*.ics`` (the oldest ones at ``calendars/users/ACCOUNT/NAME``)
and ``addressbooks`` likewise, with the WebDAV properties of a folder in extended attributes, each
an XML element, mostly deflated.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from kalends.transfer.model import (
    FolderCollection,
    FolderContents,
    FolderError,
    ObjectFile,
    RejectedFile,
    entries,
    is_object_file,
)

_TAGS = {"calendars": "VCALENDAR", "addressbooks": "VADDRESSBOOK"}
# What a home holds beside calendars: invitations, attachments, notices.
_NO_CALENDARS = frozenset({"inbox", "outbox", "dropbox", "notification", "freebusy"})
_SOURCE = re.compile(rb"^SOURCE(?:;[^:\r\n]*)?:(.*(?:\r?\n[ \t].*)*)", re.MULTILINE)
_CALDAV, _CARDDAV = "urn:ietf:params:xml:ns:caldav", "urn:ietf:params:xml:ns:carddav"
_ICAL = "http://apple.com/ns/ical/"
_SHORT_NAMESPACES = {"CALDAV:": _CALDAV, "CARDDAV:": _CARDDAV}
_PROPERTIES = {
    "{DAV:}displayname": "D:displayname",
    f"{{{_ICAL}}}calendar-color": "ICAL:calendar-color",
    f"{{{_ICAL}}}calendar-order": "ICAL:calendar-order",
    f"{{{_CALDAV}}}calendar-description": "C:calendar-description",
    f"{{{_CALDAV}}}calendar-timezone": "C:calendar-timezone",
    f"{{{_CALDAV}}}supported-calendar-component-set": "C:supported-calendar-component-set",
    f"{{{_CARDDAV}}}addressbook-description": "CR:addressbook-description",
}


def find(folder: Path) -> FolderContents:
    """The collections of an export or of a server's documents; homes are mostly called by GUID.

    Raises:
        FolderError: there is nothing of the kind.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder}: no such folder")
    found = FolderContents()
    for top, tag in _TAGS.items():
        if (folder / top).is_dir():
            for home in _homes(folder / top, found):
                _read_home(home, tag, found)
    for file in entries(folder, found):
        if is_object_file(file):
            _read_export(file, found)
    if not found.collections and not found.refused:
        why = "holds neither files of calendarserver_export nor calendars/__uids__"
        raise FolderError(f"{folder}: {why}")
    return found


def _read_export(file: Path, found: FolderContents) -> None:
    tag = "VADDRESSBOOK" if file.suffix.lower() == ".vcf" else "VCALENDAR"
    home, _, name = file.stem.partition("_")
    try:
        source = _SOURCE.search(file.read_bytes())
    except OSError as error:
        found.refused.append(RejectedFile(file, None, error.strerror or "cannot be read"))
        return
    if source:
        address = re.sub(r"\r?\n[ \t]", "", source[1].decode("utf-8", "replace")).strip()
        parts = [unquote(part) for part in address.strip("/").split("/")]
        if len(parts) >= 2:
            home, name = parts[-2:]
    if not home or not name:
        why = "is not called HOME_CALENDAR.ics, and no SOURCE in it says whose it is"
        found.refused.append(RejectedFile(file, None, why))
        return
    path = _free(f"{home}/{name}", tag, found)
    found.collections.append(FolderCollection(path, file, {"tag": tag}, (ObjectFile(file, None),)))


def _homes(top: Path, found: FolderContents) -> Iterator[Path]:
    """The folders of accounts, below what sorts them."""
    for kind in entries(top, found):
        if not kind.is_dir():
            continue
        for one in entries(kind, found):
            if kind.name == "__uids__" and len(one.name) == 2:
                for two in entries(one, found):
                    yield from (home for home in entries(two, found) if home.is_dir())
            elif one.is_dir():
                yield one


def _read_home(home: Path, tag: str, found: FolderContents) -> None:
    for folder in entries(home, found):
        if not folder.is_dir():
            continue
        if folder.name in _NO_CALENDARS:
            found.notes.append(f"{folder}: passed over: it is no calendar")
            continue
        files = tuple(ObjectFile(f, f.name) for f in entries(folder, found) if f.is_file())
        path = _free(f"{home.name}/{folder.name}", tag, found)
        props = {"tag": tag} | _properties(folder, found)
        found.collections.append(FolderCollection(path, folder, props, files))


def _free(path: str, tag: str, found: FolderContents) -> str:
    """Calendars and address books lie apart there, and together here."""
    taken = any(other.path == path for other in found.collections)
    return f"{path}-{'contacts' if tag == 'VADDRESSBOOK' else 'calendar'}" if taken else path


def _properties(folder: Path, found: FolderContents) -> dict[str, str]:
    """What the extended attributes say, if they came along with the files."""
    props = {}
    for attribute in os.listxattr(folder):
        name = unquote(attribute.removeprefix("user.").removeprefix("WebDAV:"))
        for short, namespace in _SHORT_NAMESPACES.items():
            name = name.replace(f"{{{short}}}", f"{{{namespace}}}")
        ours = _PROPERTIES.get(name)
        if ours is None:
            continue
        raw = os.getxattr(folder, attribute)
        try:
            element = fromstring(_inflated(raw))
        except (ParseError, DefusedXmlException, ValueError):
            # The servers of 2010 pickled it: that is code to run, and stays unread.
            found.notes.append(f"{folder}: its {name} is in a form that is not read")
            continue
        value = _value(element)
        if value:
            props[ours] = value
    return props


def _inflated(raw: bytes) -> bytes:
    try:
        return zlib.decompress(raw)
    except zlib.error:  # the oldest servers did not deflate
        return raw


def _value(element: Element) -> str:
    parts = [part.get("name", "") for part in element.findall(f"{{{_CALDAV}}}comp")]
    return ",".join(parts) if parts else "".join(element.itertext()).strip()
