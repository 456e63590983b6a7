"""Loader of the configuration file: Radicale's format and options, and Kalends' own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from configparser import DuplicateOptionError, DuplicateSectionError, ParsingError, RawConfigParser
from configparser import Error as ParserError
from pathlib import Path
from typing import Any, NamedTuple

from radicale.config import Configuration

from kalends.common.budget import Steps
from kalends.config import radicale_options
from kalends.config.schema import full_schema
from kalends.config.settings import FILES, Settings, tcp_ports
from kalends.config.tls import TlsSettings, is_tls_1_3_alone
from kalends.errors import ConfigurationError
from kalends.ical.limits import ObjectLimits


class LoadedConfiguration(NamedTuple):
    """A loaded configuration file.

    Attributes:
        for_radicale: the configuration in Radicale's own type.
        settings: the settings for Kalends' own parts.
    """

    for_radicale: Configuration
    settings: Settings


def load(path: Path) -> LoadedConfiguration:
    """Read and check a configuration file.

    Args:
        path: the file.

    Returns:
        the configuration, in which every option has a value.

    Raises:
        ConfigurationError: the file cannot be read, or something in it is unknown, misspelt,
            missing or of the wrong kind; it names the line where there is one.
    """
    text, sections = _read(path)
    configuration = Configuration(full_schema())
    given = _FileOptions(path, text, sections, configuration)
    for section, options in sections.items():
        for option in options or ("",):
            update = {section: {option: options[option]} if option else {}}
            try:
                configuration.update(update, str(path))
            except (ValueError, RuntimeError) as error:
                why = _explain(error, section, option, configuration)
                raise given.error(section, option, why) from None
    _require_effects(given, sections)
    settings = _settings(given)
    if "basic" not in settings.schemes or not settings.basic_over_http:
        # The collection manager's own form sends Basic; the browser's dialog also knows Digest.
        _set_default(given, configuration, "web", "prefer_browser_login", "True")
    return LoadedConfiguration(configuration, settings)


def _read(path: Path) -> tuple[str, dict[str, dict[str, str]]]:
    parser = RawConfigParser()
    try:
        text = path.read_text("utf-8")
        parser.read_string(text, str(path))
    except OSError as error:
        raise ConfigurationError(str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(str(path), "is not UTF-8 text") from None
    except (DuplicateOptionError, DuplicateSectionError) as error:
        what = getattr(error, "option", None) or f"[{error.section}]"
        raise ConfigurationError(
            str(path), f"{what} is there twice; delete one", error.lineno
        ) from None
    except ParsingError as error:
        line = error.errors[0][0] if error.errors else None
        raise ConfigurationError(
            str(path), "this line is neither [SECTION] nor NAME = VALUE", line
        ) from None
    except ParserError as error:
        line = getattr(error, "lineno", None)
        raise ConfigurationError(str(path), "does not begin with a [SECTION]", line) from None
    return text, {section: dict(parser[section]) for section in parser.sections()}


def _explain(error: Exception, section: str, option: str, configuration: Configuration) -> str:
    """Return a message for the administrator; Radicale's own messages name its Python types."""
    if section not in configuration.sections():
        return f"[{section}] is not a section; known are {', '.join(_section_names(configuration))}"
    if option not in configuration.options(section):
        return f"[{section}] has no option {option!r}"
    # The cause is the error of the option's own type.
    return f"[{section}] {option}: {error.__cause__ or error}"


def _require_effects(given: _FileOptions, sections: Mapping[str, Iterable[str]]) -> None:
    """Refuse options without an effect, since accepting them would mislead.

    Raises:
        ConfigurationError: an option without an effect is set to another value than its default.
    """
    standard = Configuration(full_schema())
    for section, options in sections.items():
        for option in (name for name in options if name in standard.options(section)):
            is_default = given.get(section, option) == standard.get(section, option)
            if not is_default and (why := _why_without_effect(given, section, option)):
                raise given.error(section, option, f"[{section}] {option} {why}")


def _why_without_effect(given: _FileOptions, section: str, option: str) -> str | None:
    """Return why another value than the default has no effect; None if it has one."""
    if only := radicale_options.FIXED.get((section, option)):
        why = f"must be {only!r} in this version of Kalends"
        if section == "auth":
            why += "; to use other account sources, set directories = files, ldap"
        return why
    if instead := radicale_options.WITHOUT_EFFECT.get(section, {}).get(option):
        return f"does nothing in Kalends: {instead}"
    if section == "server" and option in radicale_options.NEEDS_TLS:
        return None if given.get("server", "ssl") else "does nothing without ssl = True"
    if section == "auth":
        return _why_without_directory(option, given.get("auth", "directories"))
    return None


def _why_without_directory(option: str, directories: Collection[str]) -> str | None:
    """Return why an option of ``[auth]`` has no effect with these directories, or None."""
    if option in radicale_options.NEEDS_DIRECTORY and set(directories) <= {FILES}:
        return "does nothing for accounts of the files, the only directory"
    name, underscore, _ = option.partition("_")
    is_of_directory = underscore and name in radicale_options.OF_DIRECTORIES
    if is_of_directory and name not in directories:
        return f"does nothing while directories does not name {name}"
    return None


def _set_default(
    given: _FileOptions, configuration: Configuration, section: str, option: str, value: str
) -> None:
    """Set an option that the file does not name to a default that depends on other options."""
    if not given.names(section, option):
        configuration.update({section: {option: value}}, "defaults that depend on other options")


def _section_names(configuration: Configuration) -> list[str]:
    return [name for name in configuration.sections() if not name.startswith("_")]


def _line_of(text: str, section: str, option: str) -> int | None:
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[(.+?)\]", line):
            inside = header[1] == section
            if inside and not option:
                return number
        elif inside and re.match(rf"{re.escape(option)}\s*[=:]", line, re.IGNORECASE):
            return number
    return None


class _FileOptions:
    """The options of a file, and the lines where they are."""

    def __init__(
        self,
        path: Path,
        text: str,
        sections: Mapping[str, Mapping[str, str]],
        configuration: Configuration,
    ) -> None:
        self.path = path
        self._text = text
        self._sections = sections
        self._configuration = configuration

    def get(self, section: str, option: str) -> Any:
        """Return the value of an option, parsed by its type in the schema."""
        return self._configuration.get(section, option)

    def file(self, section: str, option: str) -> Path | None:
        """Return the path that an option names; None if it is empty."""
        name = self.get(section, option)
        return Path(name).expanduser() if name else None

    def require(self, section: str, option: str, example: str) -> str:
        """Return the value of an option.

        Args:
            section: the option's section.
            option: the option's name.
            example: a value for the error message.

        Raises:
            ConfigurationError: the value is empty.
        """
        value: str = self.get(section, option)
        if not value:
            why = f"[{section}] {option} is missing; for example {option} = {example}"
            raise self.error(section, "", why)
        return value

    def names(self, section: str, option: str) -> bool:
        """Return True if the file sets an option, False if it has its default."""
        return option in self._sections.get(section, {})

    def error(self, section: str, option: str, why: str) -> ConfigurationError:
        """Return an error about an option, or about its section if ``option`` is empty."""
        return ConfigurationError(str(self.path), why, _line_of(self._text, section, option))


def _settings(given: _FileOptions) -> Settings:
    get, file = given.get, given.file
    _require_schemes_for_directories(given)
    database = given.require("storage", "database", "sqlite:////var/lib/kalends/kalends.db")
    feeds = file("kalends", "feeds")
    folder = given.require("kalends", "feeds_folder", "/var/lib/kalends/feeds") if feeds else ""
    _require_distinct_ports(given)
    htpasswd, htdigest = _user_files(given)
    directories = get("auth", "directories")
    return Settings(
        path=given.path,
        hosts=get("server", "hosts"),
        database=database,
        htpasswd=htpasswd,
        htdigest=htdigest,
        htgroup=file("auth", "htgroup_filename"),
        directories=directories,
        ldap_secret=file("auth", "ldap_secret_file") if "ldap" in directories else None,
        has_ldap_password="ldap" in directories and bool(get("auth", "ldap_secret")),
        realm=get("auth", "realm"),
        schemes=get("auth", "schemes"),
        basic_over_http=get("auth", "basic_over_http"),
        basic_from_htdigest=get("auth", "basic_from_htdigest"),
        digest_without_qop=get("auth", "digest_without_qop"),
        nonce_folder=file("auth", "nonce_folder"),
        first_collections=get("storage", "predefined_collections"),
        first_group_collections=get("storage", "group_collections"),
        feeds=feeds,
        feeds_folder=Path(folder).expanduser(),
        remotes=file("kalends", "remotes"),
        feeds_hosts=get("kalends", "feeds_hosts"),
        admin_hosts=get("kalends", "admin_hosts"),
        log_format=get("logging", "format"),
        log_file=file("logging", "file"),
        access_file=file("logging", "access_file"),
        public_url=get("kalends", "public_url"),
        workers=get("kalends", "workers"),
        threads=get("kalends", "threads"),
        timeout=int(get("server", "timeout")),
        max_content_length=get("server", "max_content_length"),
        object_limits=_object_limits(given),
        max_hrefs=get("kalends", "max_hrefs"),
        max_connections=get("kalends", "max_connections"),
        stuck_seconds=get("kalends", "stuck_seconds"),
        trusted_proxies=get("kalends", "trusted_proxies"),
        prefix=get("server", "script_name"),
        tls=_tls(given),
    )


def _object_limits(given: _FileOptions) -> ObjectLimits:
    get = given.get
    of_object, of_request = (get("kalends", f"max_{of}_steps") for of in ("object", "request"))
    if of_request < of_object:
        why = (
            f"[kalends] max_request_steps must be {of_object} or more, as max_object_steps is, "
            "since a request reads at least one object"
        )
        name = "max_request_steps"
        raise given.error(
            "kalends", name if given.names("kalends", name) else "max_object_steps", why
        )
    return ObjectLimits(
        octets=get("server", "max_resource_size"),
        overrides=get("kalends", "max_overrides"),
        dates=get("kalends", "max_dates"),
        alarms=get("kalends", "max_alarms"),
        attendees=get("kalends", "max_attendees"),
        steps=Steps(of_object, of_request),
    )


def _tls(given: _FileOptions) -> TlsSettings | None:
    """Return the TLS options; None for plain http."""
    get = given.get
    if not get("server", "ssl"):
        return None
    if get("server", "ciphersuite") and is_tls_1_3_alone(get("server", "protocol")):
        why = (
            "[server] ciphersuite does not apply to TLS 1.3, the only version in protocol; "
            "leave it out, or accept TLSv1.2 as well"
        )
        raise given.error("server", "ciphersuite", why)
    return TlsSettings(
        certificate=Path(get("server", "certificate")),
        key=Path(get("server", "key")),
        authority=given.file("server", "certificate_authority"),
        versions=get("server", "protocol"),
        ciphers=get("server", "ciphersuite"),
    )


def _user_files(given: _FileOptions) -> tuple[Path | None, Path | None]:
    """Return the user files in use, for passwords and for HTTP Digest."""
    if FILES not in given.get("auth", "directories"):
        return None, None
    htpasswd = given.file("auth", "htpasswd_filename")
    if "basic" not in given.get("auth", "schemes") and not given.names("auth", "htpasswd_filename"):
        htpasswd = None  # only the default names it
    return htpasswd, given.file("auth", "htdigest_filename")


def _require_schemes_for_directories(given: _FileOptions) -> None:
    """Require for each of the directories a scheme that it can verify."""
    directories, schemes = given.get("auth", "directories"), given.get("auth", "schemes")
    if directories != (FILES,) and "basic" not in schemes:
        why = "[auth] directories other than files need schemes = basic, or 'digest, basic'"
        raise given.error("auth", "directories", why)
    if "digest" in schemes:
        if FILES not in directories:
            why = (
                "[auth] schemes: HTTP Digest is for the accounts of the files; set "
                "directories = files, …, or schemes = basic"
            )
            raise given.error("auth", "schemes", why)
        given.require("auth", "htdigest_filename", "/etc/kalends/users.htdigest")


def _require_distinct_ports(given: _FileOptions) -> None:
    """Require ports of their own for the feed listeners and the administrator's listeners."""
    hosts, feeds_hosts = given.get("server", "hosts"), given.get("kalends", "feeds_hosts")
    if feeds_hosts and not given.get("kalends", "feeds"):
        why = "[kalends] feeds_hosts offers nothing, since [kalends] feeds names no definitions"
        raise given.error("kalends", "feeds_hosts", why)
    if both := tcp_ports(hosts) & tcp_ports(feeds_hosts):
        why = f"needs another port than {min(both)}, which [server] hosts has"
        raise given.error("kalends", "feeds_hosts", f"[kalends] feeds_hosts {why}")
    if both := tcp_ports(given.get("kalends", "admin_hosts")) & tcp_ports((*hosts, *feeds_hosts)):
        why = f"needs another port than {min(both)}, which [server] hosts or feeds_hosts has"
        raise given.error("kalends", "admin_hosts", f"[kalends] admin_hosts {why}")
