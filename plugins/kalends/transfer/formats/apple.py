"""Apple's Calendar Server: files of ``calendarserver_export``, and the document folders.

``calendarserver_export --directory`` writes one file for each collection, ``HOME_NAME.ics`` or
``.vcf``, where HOME is the GUID of an account. The calendar's display name, colour and address are
in the file, as NAME, COLOR and SOURCE. Servers before 2012 kept files instead of a database, at
``calendars/__uids__/12/34/GUID/NAME/*.ics`` (the oldest at ``calendars/users/ACCOUNT/NAME``), and
address books in the same way below ``addressbooks``. The WebDAV properties of a folder are in its
extended attributes, each as an XML element, usually deflated.
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
    is_object_file,
    list_entries,
)

_TAGS = {"calendars": "VCALENDAR", "addressbooks": "VADDRESSBOOK"}
# Other folders of a home: invitations, attachments, notifications.
_OTHER_FOLDERS = frozenset({"inbox", "outbox", "dropbox", "notification", "freebusy"})
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
    """Find the collections of an export or of a server's documents; most homes are named by GUID.

    Raises:
        FolderError: there is no such folder, or it holds neither.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder}: there is no such folder")
    contents = FolderContents()
    for top, tag in _TAGS.items():
        if (folder / top).is_dir():
            for home in _find_homes(folder / top, contents):
                _read_home(home, tag, contents)
    for file in list_entries(folder, contents):
        if is_object_file(file):
            _read_export(file, contents)
    if not contents.collections and not contents.refused:
        why = "holds neither files of calendarserver_export nor calendars/__uids__"
        raise FolderError(f"{folder}: {why}; name another folder")
    return contents


def _read_export(file: Path, contents: FolderContents) -> None:
    tag = "VADDRESSBOOK" if file.suffix.lower() == ".vcf" else "VCALENDAR"
    home, _, name = file.stem.partition("_")
    try:
        source = _SOURCE.search(file.read_bytes())
    except OSError as error:
        contents.refused.append(RejectedFile(file, None, error.strerror or "cannot be read"))
        return
    if source:
        address = re.sub(r"\r?\n[ \t]", "", source[1].decode("utf-8", "replace")).strip()
        parts = [unquote(part) for part in address.strip("/").split("/")]
        if len(parts) >= 2:
            home, name = parts[-2:]
    if not home or not name:
        why = "its owner is unknown: name it HOME_CALENDAR.ics, for it has no SOURCE"
        contents.refused.append(RejectedFile(file, None, why))
        return
    path = _free_path(f"{home}/{name}", tag, contents)
    contents.collections.append(
        FolderCollection(path, file, {"tag": tag}, (ObjectFile(file, None),))
    )


def _find_homes(top: Path, contents: FolderContents) -> Iterator[Path]:
    """Yield the folders of accounts, which are one to three levels below ``top``."""
    for kind in list_entries(top, contents):
        if not kind.is_dir():
            continue
        for one in list_entries(kind, contents):
            if kind.name == "__uids__" and len(one.name) == 2:
                for two in list_entries(one, contents):
                    yield from (home for home in list_entries(two, contents) if home.is_dir())
            elif one.is_dir():
                yield one


def _read_home(home: Path, tag: str, contents: FolderContents) -> None:
    for folder in list_entries(home, contents):
        if not folder.is_dir():
            continue
        if folder.name in _OTHER_FOLDERS:
            contents.notes.append(f"{folder}: skipped, it is not a calendar")
            continue
        files = tuple(ObjectFile(f, f.name) for f in list_entries(folder, contents) if f.is_file())
        path = _free_path(f"{home.name}/{folder.name}", tag, contents)
        props = {"tag": tag} | _read_properties(folder, contents)
        contents.collections.append(FolderCollection(path, folder, props, files))


def _free_path(path: str, tag: str, contents: FolderContents) -> str:
    """Return a path that is not taken: here, calendars and address books share one folder."""
    taken = any(other.path == path for other in contents.collections)
    return f"{path}-{'contacts' if tag == 'VADDRESSBOOK' else 'calendar'}" if taken else path


def _read_properties(folder: Path, contents: FolderContents) -> dict[str, str]:
    """Return the properties in the extended attributes, if those were copied with the files."""
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
            element = fromstring(_inflate(raw))
        except (ParseError, DefusedXmlException, ValueError):
            # Servers of 2010 pickled some values; unpickling can run code, so they are not read.
            contents.notes.append(f"{folder}: its {name} is in a format that is not supported")
            continue
        value = _property_value(element)
        if value:
            props[ours] = value
    return props


def _inflate(raw: bytes) -> bytes:
    try:
        return zlib.decompress(raw)
    except zlib.error:  # the oldest servers did not compress
        return raw


def _property_value(element: Element) -> str:
    parts = [part.get("name", "") for part in element.findall(f"{{{_CALDAV}}}comp")]
    return ",".join(parts) if parts else "".join(element.itertext()).strip()
