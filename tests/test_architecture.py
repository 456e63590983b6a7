"""The structure: imports run one way, Radicale stays behind its adapters, documents name all."""

from __future__ import annotations

import ast
import re
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
EVERYWHERE = {"errors", "events", "__version__"}
# Ends with a dot where a whole room is meant.
IMPORTERS_OF_RADICALE = ("adapters.", "dav.", "config.")
# Arrows that still point upward; nothing may be added.
UPWARD = {
    ("authn.authenticator", "app"),
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
        if other == room or other in EVERYWHERE or (name, other) in UPWARD:
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


def test_no_class_name_stands_for_two_things() -> None:
    places: dict[str, list[str]] = {}
    for path in modules():
        if name_of(path) == "feeds.ports":
            continue  # interfaces, called as the classes of the store that have them
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
        r"(README|CONTRIBUTING|CHANGELOG|SECURITY)\.md|Makefile|pyproject\.toml|plugins|config|deploy|tests|\.ci|\.gitignore|LICENSE"
        r"|requirements.*\.txt"
    )
    tracked = {line.split("/")[0] for line in _tracked()}
    assert [name for name in tracked if not allowed.fullmatch(name)] == []


def test_the_lock_names_no_host() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert "://" not in (ROOT / name).read_text()


def _tracked() -> list[str]:
    import subprocess

    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()
