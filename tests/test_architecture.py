"""Imports run one way, Radicale is seen by its shells alone, and the documents tell all."""

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

RADICALE_SHELLS = {
    "auth",
    "rights",
    "storage",
    "collection",
    "items",
    "web",
    "configuration",
    "configschema",
    "directories",
    "caldav",
}

# From the top down; a module imports from rows below its own, and within its own part.
ROWS = [
    {"wsgi", "cli", "serving", "opening"},
    {"admin"},
    {
        "checking",
        "checkfiles",
        "checktls",
        "condition",
        "demo",
        "backupcommand",
        "feedcommand",
        "transfercommand",
        "usercommand",
    },
    {"layers"},
    {"assembly"},
    RADICALE_SHELLS,
    {"accountpage"},
    {"feedpage"},
    {"importing", "transfer", "backups", "login", "agreed", "accounts", "removal"},
    {"htauth", "store", "icsfeed"},
    {"calobject", "pages"},
    {"worker"},
    {
        "httpserver",
        "listeners",
        "accesslog",
        "logs",
        "metrics",
        "requestids",
        "errors",
        "atomicfile",
        "ownership",
        "settings",
        "options",
        "icaltext",
        "names",
        "proxies",
        "directoryxml",
        "encodings",
    },
]
# These stand beside one another: what one needs of another comes at assembly.
APART = {"htauth", "store", "icsfeed"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


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


def row_of(part: str) -> int:
    return next(number for number, row in enumerate(ROWS) if part in row)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_downward(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        assert imported(path) <= {"__future__"}
        return
    for name in imported(path):
        if name.startswith("kalends.") and (other := name.split(".")[1]) != part:
            if other == "__version__":
                continue
            assert row_of(other) >= row_of(part), f"{part} imports {other}"
            assert not {part, other} <= APART, f"{part} imports {other}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_shells_know_radicale(path: Path) -> None:
    if part_of(path) not in RADICALE_SHELLS:
        tops = {name.partition(".")[0] for name in imported(path)}
        assert not tops & {"radicale", "vobject"}


def test_the_schema_says_which_migration_it_needs() -> None:
    config = Config()
    config.set_main_option("script_location", str(PACKAGE / "store" / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_every_option_stands_in_the_shipped_configuration_or_the_readme() -> None:
    told = (ROOT / "config" / "kalends.ini").read_text() + (ROOT / "README.md").read_text()
    missing = [option.name for option in OPTIONS if not re.search(rf"\b{option.name}\b", told)]
    assert missing == []


def test_the_floor_plan_names_every_part() -> None:
    plan = (ROOT / "plugins" / "README.md").read_text()
    parts = {part_of(path) for path in modules()} - {"__init__"}
    assert [part for part in sorted(parts) if f"`{part}" not in plan] == []


def test_the_top_level_holds_nothing_without_a_reason() -> None:
    allowed = re.compile(
        r"README\.md|Makefile|pyproject\.toml|plugins|config|deploy|tests|\.ci|\.gitignore|LICENSE"
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
