"""Every option of Radicale's schema has an effect, or is refused with the option to use instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from configparser import RawConfigParser
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from radicale.config import DEFAULT_CONFIG_SCHEMA

from kalends.config import loader
from kalends.config.options import OPTIONS
from kalends.config.radicale_options import (
    EFFECTIVE,
    FIXED,
    NEEDS_DIRECTORY,
    NEEDS_TLS,
    OF_DIRECTORIES,
    WITHOUT_EFFECT,
)
from kalends.config.schema import full_schema
from kalends.errors import ConfigurationError
from support.server import Sections, format_ini

SCHEMA: Mapping[str, Mapping[str, Any]] = DEFAULT_CONFIG_SCHEMA
# Each type of an option accepts one of these.
VALUES = ("7", "rw", "hypercorn", "-15M;x", "none")


def options_of_radicale() -> Iterator[tuple[str, str]]:
    """Yield each option that a file may contain; Radicale refuses those with an underscore."""
    for section, options in SCHEMA.items():
        for option in options:
            if not option.startswith("_"):
                yield section, option


def named(table: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    return [(section, option) for section, options in table.items() for option in options]


def other(section: str, option: str) -> str:
    """Return a value that is not the default."""
    described = full_schema()[section][option]
    read, default = described["type"], described["value"]
    if read is bool:
        return str(not RawConfigParser.BOOLEAN_STATES[default.lower()])
    for value in VALUES:
        with suppress(Exception):  # Radicale's types raise various exceptions
            if read(value) != read(default):
                return value
    raise AssertionError(f"none of {VALUES} is for [{section}] {option}")


def load(folder: Path, sections: Sections) -> None:
    """Load a configuration with these options and the required ones."""
    storage = {"database": f"sqlite:///{folder}/kalends.db", **sections.get("storage", {})}
    file = folder / "kalends.ini"
    file.write_text(format_ini({**sections, "storage": storage}))
    loader.load(file)


def why_refused(folder: Path, section: str, option: str, value: str) -> str:
    """Load a configuration with an option that is refused, and return the message."""
    with pytest.raises(ConfigurationError) as caught:
        load(folder, {section: {option: value}})
    error = caught.value
    lines = (folder / "kalends.ini").read_text().splitlines()
    assert lines[(error.line or 0) - 1] == f"{option} = {value}"
    start = f"[{section}] {option} "
    assert error.why.startswith(start)
    return error.why.removeprefix(start)


def test_each_option_has_an_effect_or_is_refused() -> None:
    """If this fails for a new option of Radicale, find out what it does and list it."""
    known = [*named(EFFECTIVE), *FIXED, *named(WITHOUT_EFFECT)]
    assert sorted(known) == sorted(options_of_radicale())
    for table in (EFFECTIVE, WITHOUT_EFFECT):
        assert all(text for options in table.values() for text in options.values())


@pytest.mark.parametrize(("section", "option"), named(WITHOUT_EFFECT))
def test_an_option_without_effect_is_refused(tmp_path: Path, section: str, option: str) -> None:
    why = why_refused(tmp_path, section, option, other(section, option))
    assert why == f"does nothing in Kalends: {WITHOUT_EFFECT[section][option]}"


@pytest.mark.parametrize(("section", "option"), FIXED)
def test_an_option_with_one_permitted_value_refuses_others(
    tmp_path: Path, section: str, option: str
) -> None:
    why = why_refused(tmp_path, section, option, "csv")
    assert why.startswith(f"must be {FIXED[section, option]!r}")


@pytest.mark.parametrize("option", NEEDS_TLS)
def test_an_option_of_tls_requires_tls(tmp_path: Path, option: str) -> None:
    value = {"protocol": "TLSv1.3", "ciphersuite": "DEFAULT"}.get(option, "/etc/x.pem")
    assert "without ssl = True" in why_refused(tmp_path, "server", option, value)
    load(tmp_path, {"server": {"ssl": "True", option: value}})


@pytest.mark.parametrize("option", NEEDS_DIRECTORY)
def test_an_option_that_changes_names_requires_a_directory(tmp_path: Path, option: str) -> None:
    value = other("auth", option)
    assert "accounts of the files" in why_refused(tmp_path, "auth", option, value)
    load(tmp_path, {"auth": {option: value, "directories": "files, ldap"}})


OF_A_DIRECTORY = [
    (option, name)
    for option in EFFECTIVE["auth"]
    for name in OF_DIRECTORIES
    if option.startswith(f"{name}_")
]


@pytest.mark.parametrize(("option", "name"), OF_A_DIRECTORY)
def test_an_option_of_a_directory_requires_the_directory(
    tmp_path: Path, option: str, name: str
) -> None:
    value = other("auth", option)
    others = "files, ldap" if name != "ldap" else "files, imap"
    assert f"does not name {name}" in why_refused(tmp_path, "auth", option, value)
    with pytest.raises(ConfigurationError, match=f"does not name {name}"):
        load(tmp_path, {"auth": {option: value, "directories": others}})
    load(tmp_path, {"auth": {option: value, "directories": f"files, {name}"}})


def test_default_values_are_accepted(tmp_path: Path) -> None:
    sections: Sections = {}
    for section, option in [*FIXED, *named(WITHOUT_EFFECT)]:
        value = full_schema()[section][option]["value"]
        if "\n" not in value:  # the format cannot represent an empty line
            sections.setdefault(section, {})[option] = value
    load(tmp_path, sections)


def test_headers_may_have_any_name(tmp_path: Path) -> None:
    load(tmp_path, {"headers": {"Access-Control-Allow-Origin": "*"}})


def test_the_tables_do_not_name_our_own_options() -> None:
    ours = {(option.section, option.name) for option in OPTIONS}
    assert not ours & {*FIXED, *named(WITHOUT_EFFECT)}
