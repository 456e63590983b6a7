"""The structure: imports run one way, Radicale stays behind its adapters, documents name all."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from kalends.config.options import OPTIONS
from kalends.store.schema import HEAD

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "plugins" / "kalends"

# Each room imports from the rooms below it, and from itself.
FLOORS = (
    "cli",
    "server",
    "app",
    "dav",
    "adapters",
    "webui",
    "transfer",
    "backup",
    "authn",
    "feeds",
    "store",
    "config",
    "ical",
    "common",
)
# The only modules beside the rooms: the names that a configuration gives, and the errors.
PUBLIC = {"wsgi", "auth", "rights", "storage", "web"}
EVERYWHERE = {"errors", "events", "limit_names", "__version__"}
# Ends with a dot where a whole room is meant.
IMPORTERS_OF_RADICALE = ("adapters.", "dav.", "config.")
# What a module assigns to objects that are not its own, by module; all else comes by constructors.
ASSIGNED_TO_OTHERS = {
    # Objects of Python and of libraries, which take it in no other way.
    ("app.logging_setup", "record.request"),
    ("authn.hashing.libcrypt", "crypt_r.argtypes"),
    ("authn.hashing.libcrypt", "crypt_r.restype"),
    ("server.arbiter", "self.error_log.propagate"),
    ("server.http1.tls", "context.maximum_version"),
    ("server.http1.tls", "context.minimum_version"),
    ("server.http1.tls", "context.options"),
    ("store.postgres", "connection.autocommit"),
    ("store.sqlite", "connection.isolation_level"),
    # Calendar data, changed in steps before anybody else sees it.
    ("feeds.compose.select", "copy.leaving_date"),
    ("feeds.compose.stamps", "copy.components"),
    ("feeds.compose.timezones", "rule.properties"),
    ("ical.file_objects", "component.properties"),
    # A connection, by the manager that alone decides how long it is kept.
    ("server.http1.connection_manager", "connection.keep_alive"),
    ("server.http1.connection_manager", "connection.refused"),
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """A module's dotted name within the package; a package goes by its own name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imported(path: Path) -> set[str]:
    """Every module that a file imports, as dotted names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            found.add(node.module)
            if node.module == "kalends":
                found.update(f"kalends.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_run_downward(path: Path) -> None:
    name = name_of(path)
    room = name.partition(".")[0]
    for module in imported(path):
        if not module.startswith("kalends."):
            continue
        other = module.split(".")[1]
        if other == room or other in EVERYWHERE:
            continue
        assert other in FLOORS, f"{name} imports {module}, which is not in a room"
        if room in FLOORS:
            assert FLOORS.index(other) > FLOORS.index(room), f"{name} imports {module}"
        else:
            assert room in PUBLIC, f"{name} is not allowed to import {module}"


def test_the_listing_holds_the_rooms_and_the_public_names_alone() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == set(FLOORS)
    loose = {path.stem for path in PACKAGE.glob("*.py")}
    assert loose - {"__init__"} <= PUBLIC | EVERYWHERE


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_radicale_is_imported_by_its_adapters_alone(path: Path) -> None:
    if not name_of(path).startswith(IMPORTERS_OF_RADICALE):
        tops = {name.partition(".")[0] for name in imported(path)}
        assert not tops & {"radicale", "vobject"}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_nothing_is_assigned_to_what_another_module_has_made(path: Path) -> None:
    """Assigned parts are forgotten silently; a forgotten argument is an error at the start."""
    tree = ast.parse(path.read_text())
    own = _attributes_of_classes_in(tree)
    assigned = {
        (name_of(path), ast.unparse(target))
        for scope in _scopes(tree)
        for target in _assigned_to_others(scope)
        if target.attr not in own
    }
    assert assigned <= ASSIGNED_TO_OTHERS


def test_the_list_of_what_is_assigned_is_as_short_as_it_can_be() -> None:
    found = {
        (name_of(path), ast.unparse(target))
        for path in modules()
        for scope in _scopes(ast.parse(path.read_text()))
        for target in _assigned_to_others(scope)
    }
    assert found >= ASSIGNED_TO_OTHERS


def _scopes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield each function that is not within another, and each statement outside of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _scopes(child)
        else:
            yield child


def _assigned_to_others(scope: ast.AST) -> Iterator[ast.Attribute]:
    """Yield what is assigned to others than ``self`` and what the scope itself has just made."""
    made = {"self", "cls"}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            made.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Call):
            made.add(ast.unparse(node.target))
        elif isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
            made.add(node.optional_vars.id)
    for node in ast.walk(scope):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            owner = node.value
            is_made = isinstance(owner, ast.Call) or ast.unparse(owner) in made
            if not is_made:
                yield node


def _attributes_of_classes_in(tree: ast.Module) -> set[str]:
    """Return the attributes that the classes of a module declare, or assign to ``self``."""
    found: set[str] = set()
    for declared in ast.walk(tree):
        if not isinstance(declared, ast.ClassDef):
            continue
        for node in ast.walk(declared):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.update({node.attr} if ast.unparse(node.value) == "self" else ())
    return found


def test_no_class_name_stands_for_two_things() -> None:
    places: dict[str, list[str]] = {}
    for path in modules():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(name_of(path))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_sql_is_in_the_store_alone() -> None:
    """Elsewhere a connection is handed on, and neither tables nor statements are known."""
    for path in modules():
        if name_of(path).startswith("store."):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            for name in names:
                parts = name.split(".")
                is_sql = parts[0] == "sqlalchemy" and name != "sqlalchemy.Connection"
                assert not is_sql, f"{path} imports {name}"
                assert parts[:3] != ["kalends", "store", "schema"], f"{path} imports {name}"


def test_the_schema_says_which_migration_it_needs() -> None:
    config = Config()
    config.set_main_option("script_location", str(PACKAGE / "store" / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_every_option_stands_in_the_shipped_configuration_or_the_readme() -> None:
    told = (ROOT / "config" / "kalends.ini").read_text() + (ROOT / "README.md").read_text()
    missing = [option.name for option in OPTIONS if not re.search(rf"\b{option.name}\b", told)]
    assert missing == []


def test_the_floor_plan_names_every_room() -> None:
    plan = (ROOT / "plugins" / "README.md").read_text()
    assert [room for room in FLOORS if f"`{room}/`" not in plan] == []


def test_the_documents_name_modules_that_are_there() -> None:
    plan = (ROOT / "plugins" / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    room = "|".join(FLOORS)
    for name in re.findall(rf"`((?:{room})(?:\.\w+)+)`", plan):
        parts = name.split(".")
        assert any(
            PACKAGE.joinpath(*parts[:end]).with_suffix(".py").exists()
            or PACKAGE.joinpath(*parts[:end]).is_dir()
            for end in range(2, len(parts) + 1)
        ), name
    for name in re.findall(rf"`((?:{room}|tests)/[\w/.-]+)`", plan):
        assert (PACKAGE / name).exists() or (ROOT / name).exists(), name


def test_the_unit_tests_mirror_the_rooms() -> None:
    rooms = {path.name for path in (ROOT / "tests" / "unit").iterdir() if path.is_dir()}
    assert rooms - {"__pycache__"} <= set(FLOORS)


def test_the_top_level_holds_nothing_without_a_reason() -> None:
    allowed = re.compile(
        r"(README|CONTRIBUTING|CHANGELOG|SECURITY)\.md|Makefile|pyproject\.toml|plugins|config|deploy|tests|\.ci|\.gitignore|LICENSE|docs"
        r"|requirements.*\.txt"
    )
    tracked = {line.split("/")[0] for line in _tracked()}
    assert [name for name in tracked if not allowed.fullmatch(name)] == []


def waits_by_the_clock(path: Path) -> list[int]:
    """Return the lines where a test sleeps, or waits for less than a second.

    What is not there after such a time may still come on a busy machine.
    """
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        called, given = ast.unparse(node.func), node.args[:1]
        seconds = given[0].value if given and isinstance(given[0], ast.Constant) else None
        is_short = called.endswith(".wait") and isinstance(seconds, float) and seconds < 1
        if called == "time.sleep" or is_short:
            found.append(node.lineno)
    return found


def test_no_test_waits_by_the_clock() -> None:
    """What is awaited has an event, or is looked for with `support.awaiting`."""
    tests = ROOT / "tests"
    found = {
        name: lines
        for path in tests.rglob("*.py")
        if (name := str(path.relative_to(tests))) != "support/awaiting.py"
        and not name.startswith(("bench/", "js/"))
        and (lines := waits_by_the_clock(path))
    }
    assert found == {}


def test_the_lock_names_no_host() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert "://" not in (ROOT / name).read_text()


def _tracked() -> list[str]:
    import subprocess

    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()
