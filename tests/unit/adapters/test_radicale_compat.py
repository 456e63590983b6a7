"""The private names of Radicale and vobject that Kalends needs, in the pinned versions."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import radicale
import vobject
from radicale import auth, item, storage
from radicale.app import Application, base
from radicale.auth import AuthContext, BaseAuth
from radicale.config import DEFAULT_CONFIG_SCHEMA, Configuration
from radicale.storage import BaseStorage

import kalends
from kalends.adapters import radicale_compat
from kalends.adapters.radicale_compat import (
    AuthBase,
    ItemBase,
    StorageBase,
    accepts_path,
    accepts_user,
    check_login,
)

PACKAGE = Path(kalends.__file__).parent
# The module that may use private names of other packages.
COMPAT = {"adapters/radicale_compat.py"}
RADICALES = [base, radicale.app, auth, storage, item]


def configured(**changed: dict[str, Any]) -> Configuration:
    """Return Radicale's configuration with its defaults, except for the changed options."""
    configuration = Configuration(DEFAULT_CONFIG_SCHEMA)
    configuration.update(changed, "test")
    return configuration


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (base._check_path_format, ["self", "path", "validation_type"]),
        (
            base._check_user_format,
            ["self", "user", "validation_type", "urldecode_username", "enforceUser"],
        ),
        (BaseAuth._login_ext_with_groups, ["self", "login", "password", "context"]),
        (BaseAuth.login, ["self", "login", "password", "context"]),
        (BaseAuth.get_external_login, ["self", "environ"]),
        (AuthContext.__init__, ["self"]),
        (Application._handle_request, ["self", "environ"]),
        (Application.__call__, ["self", "environ", "start_response"]),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_a_private_function_has_the_parameters_that_we_pass(
    function: Any, parameters: list[str]
) -> None:
    assert list(inspect.signature(function).parameters) == parameters


@pytest.mark.parametrize(
    ("module", "name"),
    [
        *[(auth, name) for name in ("_lc_username", "_uc_username", "_urldecode_username")],
        (auth, "_strip_domain"),
        (storage, "_supports_unicode"),
        (storage, "_supports_trailing_whitespace"),
        (storage, "_supports_problematic_chars"),
        *[(item, name) for name in ("_vobject_item", "_collection_path")],
        *[(radicale.app, name) for name in ("_max_content_length", "_max_resource_size")],
        (radicale.app, "_strict_preconditions"),
        (radicale.app, "_validate_user_value"),
        (radicale.app, "_validate_path_value"),
        (radicale.app, "_urldecode_username"),
        (radicale.app, "_extra_headers"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_radicale_still_has_an_attribute(module: ModuleType, name: str) -> None:
    assert name in attributes_of(module)


def attributes_of(module: ModuleType) -> set[str]:
    """Return the private attributes that the classes of a module declare or assign."""
    found = set()
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text())):
        if isinstance(node, ast.ClassDef):
            for part in ast.walk(node):
                if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store):
                    found.add(part.attr)
                elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                    found.add(part.target.id)
                elif isinstance(part, ast.FunctionDef):
                    found.add(part.name)
    return {name for name in found if name.startswith("_") and not name.startswith("__")}


@cache
def private_names() -> set[str]:
    """Return the private attributes of the classes of Radicale that ours may derive from."""
    return set().union(*(attributes_of(module) for module in RADICALES))


class AcceptAll(AuthBase):
    """Accepts every login, with the name unchanged."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self.keep_names()

    def groups_of_login(self, name: str, password: str, address: str) -> tuple[str, set[str]]:
        return name, {password, address}


@pytest.mark.parametrize(
    "option", ["lc_username", "uc_username", "urldecode_username", "strip_domain"]
)
def test_radicale_does_not_change_a_login_name(option: str) -> None:
    """If Radicale stopped reading one of the four attributes, it would change the name."""
    context = AuthContext()  # type: ignore[no-untyped-call] # Radicale's has no annotations
    context.remote_addr = "192.0.2.1"
    configuration = configured(auth={option: "True", "type": "none"})
    name, _, groups = AcceptAll(configuration).login("Lena%40@x", "lilac", context)
    assert (name, groups) == ("Lena%40@x", {"lilac", "192.0.2.1"})
    assert check_login(AcceptAll(configuration), "Lena", "lilac", "192.0.2.2") == (
        "Lena",
        {"lilac", "192.0.2.2"},
    )
    plain = BaseAuth(configuration)
    plain._login = lambda login, password: login  # type: ignore[method-assign] # a plug-in's
    assert plain.login("Lena%40@x", "lilac", context)[0] != "Lena%40@x", "the option does nothing"


@pytest.mark.parametrize("name", ["ends with a space ", "problematic '*?'", "ünïcode ✓"])
def test_radicale_accepts_every_name(name: str) -> None:
    """If Radicale stopped reading one of the three attributes, it would refuse the name."""
    ours = StorageBase(configured())
    assert accepts_path(ours, f"/alice/{name}", "none")
    assert accepts_user(ours, name, "none", urldecode=False)


@pytest.mark.parametrize("name", ["ends with a space ", "problematic '*?'"])
def test_a_storage_without_these_attributes_refuses_such_names(name: str) -> None:
    theirs = BaseStorage(configured())
    assert not accepts_path(theirs, f"/alice/{name}", "none")
    assert not accepts_user(theirs, name, "none", urldecode=False)


def test_radicale_validates_as_the_options_say() -> None:
    ours = StorageBase(configured())
    assert not accepts_path(ours, "/alice/ü", "strict")
    assert not accepts_user(ours, "ü", "strict", urldecode=False)
    assert accepts_user(ours, "a%20b", "minimal", urldecode=True)
    assert not accepts_user(ours, "a%00b", "minimal", urldecode=True)


ZONE = "BEGIN:VTIMEZONE\r\nTZID:Here\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
ZONE += "TZOFFSETFROM:{0}\r\nTZOFFSETTO:{0}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"


def test_each_object_is_read_by_its_own_time_zones() -> None:
    """vobject alone would read the second object with the time zone of the first."""

    def hours(offset: str, made: type[item.Item]) -> float:
        text = (
            f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{ZONE.format(offset)}BEGIN:VEVENT\r\nUID:a\r\n"
            "DTSTART;TZID=Here:20260101T120000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
        start = made(collection_path="a", text=text, href="a.ics").vobject_item.vevent.dtstart
        length = start.value.utcoffset()
        return float(length.total_seconds() / 3600)

    assert [hours(offset, ItemBase) for offset in ("+0100", "+0500")] == [1, 5]
    assert [hours(offset, item.Item) for offset in ("+0200", "+0700")] == [5, 5]
    zones = vars(vobject.icalendar)["__tzidMap"]
    assert zones is radicale_compat._vobject_zones
    assert ItemBase(collection_path="a/b", text="x", href="c.ics").path == "/a/b/c.ics"


def test_radicale_calls_our_entry_point_and_sends_its_response() -> None:
    class Entry(radicale_compat.ApplicationBase):
        def handle_request(self, environ: Any) -> radicale_compat.WsgiAnswer:
            return "299 Ours", [], [b"body"]

    started: list[str] = []
    app = Entry.__new__(Entry)
    app._profiling_per_request_method = False
    environ = {"REQUEST_METHOD": "GET", "wsgi.errors": None}
    body = Application.__call__(app, environ, lambda status, headers: started.append(status))
    assert (started, list(body)) == (["299 Ours"], [b"body"])


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if str(path.relative_to(PACKAGE)) not in COMPAT
    ],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_no_other_module_uses_a_private_name_of_theirs(path: Path) -> None:
    tree = ast.parse(path.read_text())
    theirs = private_names()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module.partition(".")[0] in ("radicale", "vobject", "dateutil"):
                private = [alias.name for alias in node.names if alias.name.startswith("_")]
                assert not private, f"line {node.lineno}: imports {private}"
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            of_self = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not of_self and not node.attr.startswith("__"):
                assert node.attr not in theirs, f"line {node.lineno}: {node.attr}"
        elif isinstance(node, ast.ClassDef) and has_radicales_base(node):
            for part in ast.walk(node):
                if isinstance(part, ast.Attribute) and part.attr in theirs:
                    raise AssertionError(f"line {part.lineno}: {part.attr}")
                if isinstance(part, ast.FunctionDef):
                    assert part.name not in theirs, f"line {part.lineno}: {part.name}"


def has_radicales_base(node: ast.ClassDef) -> bool:
    """Return True if a class derives from one of Radicale or of the compat module."""
    names = {ast.unparse(parent).rpartition(".")[2] for parent in node.bases}
    made = {name for name in names if name.startswith("Base") or name.endswith("Base")}
    return bool(made or names & {"Item", "Web", "RadicaleItem"})
