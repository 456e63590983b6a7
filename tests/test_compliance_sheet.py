"""The compliance sheet: it names tests and modules that exist, and a reason where it names none."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from support.paths import ROOT, TESTS

SHEET = ROOT / "docs" / "compliance.md"
HEADER = ("§", "", "requirement", "where", "shown by, or why not")
REASONS = ("not applicable:", "by design:", "not yet:", "no test:")
# A test, by its file below tests/ and its name; anything else in backticks is a module or a word.
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
MODULE = re.compile(r"`([\w.]+)`")


class Row(NamedTuple):
    """A row of a table of the sheet.

    Attributes:
        rfc: the heading of the table.
        section: the section of the RFC.
        level: M for MUST, S for SHOULD.
        requirement: what the RFC requires.
        where: the modules that fulfil it.
        shown: the tests that show it, or why there is none.
    """

    rfc: str
    section: str
    level: str
    requirement: str
    where: str
    shown: str


def read_rows() -> list[Row]:
    """Return the rows of all tables of the sheet."""
    found, heading = [], ""
    for line in SHEET.read_text().splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ").split(":")[0]
        elif line.startswith("|"):
            cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
            assert len(cells) == len(HEADER), line
            if cells != HEADER and not cells[0].startswith("---"):
                found.append(Row(heading, *cells))
    return found


ROWS = read_rows()


@cache
def functions_of(path: Path) -> frozenset[str]:
    """Return the names of the functions of a module."""
    body = ast.parse(path.read_text()).body
    return frozenset(node.name for node in body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.rfc} {row.section}")
def test_a_row_is_complete(row: Row) -> None:
    assert re.fullmatch(r"[\dA-Z]+(\.\d+)*", row.section)
    assert row.level in ("M", "S")
    assert row.requirement
    has_reason = row.shown.startswith(REASONS)
    assert has_reason or TEST.search(row.shown), "neither a test nor a reason"
    assert row.where or row.shown.startswith(REASONS[:3]), "fulfilled nowhere"


def test_every_named_test_exists() -> None:
    named = {match for row in ROWS for match in TEST.findall(row.shown)}
    missing = {
        f"{file}::{name}"
        for file, name in named
        if not (TESTS / file).is_file() or name not in functions_of(TESTS / file)
    }
    assert missing == set()


def test_every_named_module_exists() -> None:
    named = {name for row in ROWS for name in MODULE.findall(row.where)}
    package = ROOT / "plugins" / "kalends"
    missing = {
        name
        for name in named
        if not (package / f"{name.replace('.', '/')}.py").is_file()
        and not (package / name.replace(".", "/") / "__init__.py").is_file()
    }
    assert missing == set()
