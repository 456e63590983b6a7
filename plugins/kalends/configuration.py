"""The configuration file: Radicale's format and options, extended by ours, and nothing unknown."""

from __future__ import annotations

import copy
import json
import logging
import re
from configparser import DuplicateOptionError, DuplicateSectionError, ParsingError, RawConfigParser
from configparser import Error as ParserError
from pathlib import Path
from typing import Any

from radicale.config import DEFAULT_CONFIG_SCHEMA, Configuration
from radicale.log import REMOVE_TRACEBACK_FILTER

from kalends import accesslog, logs
from kalends.errors import ConfigurationError
from kalends.settings import FILES, OPTIONS, Settings, ports

# What Radicale calls the source of an option that no file names.
_DEFAULTS = "default config"

# Kalends' part in the place of Radicale's: each is the default, and takes no unknown option.
_OUR_TYPES = {
    "auth": "kalends.auth",
    "rights": "kalends.rights",
    "storage": "kalends.storage",
    "web": "kalends.web",
}

_FIRST_COLLECTIONS = {
    "calendar": {
        "tag": "VCALENDAR",
        "D:displayname": "Calendar",
        "C:supported-calendar-component-set": "VEVENT",
    },
    "tasks": {
        "tag": "VCALENDAR",
        "D:displayname": "Tasks",
        "C:supported-calendar-component-set": "VTODO",
    },
    "contacts": {"tag": "VADDRESSBOOK", "D:displayname": "Contacts"},
}

_FIRST_GROUP_COLLECTIONS = {
    "calendar": {"tag": "VCALENDAR", "C:supported-calendar-component-set": "VEVENT"}
}

# Radicale's defaults that are not ours. Its delays after a failed login would hold our worker
# threads; throttling is our own.
_OUR_DEFAULTS = {
    ("auth", "delay"): "0",
    ("server", "delay_on_error"): "0",
    # Programs ask ten things in a row; a directory is asked once for them.
    ("auth", "cache_logins"): "True",
    # Every name that HTTP allows is stored; which accounts have a home is our own rule.
    ("server", "validate_path_value"): "none",
    ("server", "validate_user_value"): "none",
    ("storage", "predefined_collections"): json.dumps(_FIRST_COLLECTIONS),
    ("logging", "level"): "warning",
}

# What Radicale offers and this store does not carry: refused, since silence would mislead.
_ONLY = {
    ("storage", "type"): "kalends.storage",
    ("auth", "type"): "kalends.auth",
    ("rights", "type"): "kalends.rights",
    ("sharing", "type"): "none",
    ("hook", "type"): "none",
    ("group", "type"): "none",
}


def load(path: Path) -> tuple[Configuration, Settings]:
    """Read and check a configuration file.

    Returns:
        what Radicale's application takes, and what the assembly takes.

    Raises:
        ConfigurationError: the file cannot be read, or something in it is unknown, misspelt,
            missing or of the wrong kind; it names the line where there is one.
    """
    text, sections = _read(path)
    configuration = Configuration(_schema())
    for section, options in sections.items():
        for option in options or ("",):
            given = {section: {option: options[option]} if option else {}}
            try:
                configuration.update(given, str(path))
            except (ValueError, RuntimeError) as error:
                why = _plain(str(error), section, option, configuration)
                raise ConfigurationError(str(path), why, _line(text, section, option)) from None
    for (section, option), only in _ONLY.items():
        if configuration.get(section, option) != only:
            why = f"[{section}] {option} must be {only!r} in this version of Kalends"
            if (section, option) == ("auth", "type"):
                why += "; who has accounts besides the files is said by directories = files, ldap"
            raise ConfigurationError(str(path), why, _line(text, section, option))
    settings = _settings(path, text, configuration)
    if "basic" not in settings.schemes or not settings.basic_over_http:
        # The collection manager's own form sends Basic; the browser's dialog knows the others too.
        _prefer(configuration, "web", "prefer_browser_login", "True")
    return configuration, settings


def configure_logging(configuration: Configuration, settings: Settings) -> None:
    """Log as ``[logging]`` says.

    Raises:
        ConfigurationError: a log file cannot be written.
    """
    logs.configure(settings.log_format, settings.log_file)
    accesslog.configure(settings.log_format, settings.access_file)
    level = configuration.get("logging", "level").upper()
    for name in ("kalends", "radicale"):
        logging.getLogger(name).setLevel(level)
    if level not in ("DEBUG", "TRACE"):
        # Radicale adds a traceback to a client's mistake; what is a bug it logs as text, whole.
        logging.getLogger("radicale").addFilter(REMOVE_TRACEBACK_FILTER)


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
        raise ConfigurationError(str(path), f"{what} is there twice", error.lineno) from None
    except ParsingError as error:
        line = error.errors[0][0] if error.errors else None
        raise ConfigurationError(str(path), "is neither [SECTION] nor NAME = VALUE", line) from None
    except ParserError as error:
        line = getattr(error, "lineno", None)
        raise ConfigurationError(str(path), "does not begin with a [SECTION]", line) from None
    return text, {section: dict(parser[section]) for section in parser.sections()}


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = copy.deepcopy(dict(DEFAULT_CONFIG_SCHEMA))
    schema["kalends"] = {}
    for option in OPTIONS:
        schema[option.section][option.name] = {
            "value": option.default,
            "help": option.help,
            "type": option.type,
        }
    for section, name in _OUR_TYPES.items():
        described = schema[section]["type"]
        described["value"] = name
        described["internal"] = (*described["internal"], name)
    schema["storage"]["group_collections"] = {
        **schema["storage"]["predefined_collections"],
        "value": json.dumps(_FIRST_GROUP_COLLECTIONS),
        "help": "what the calendars of a new group begin with (JSON)",
    }
    for (section, name), value in _OUR_DEFAULTS.items():
        schema[section][name]["value"] = value
    return schema


def _plain(message: str, section: str, option: str, configuration: Configuration) -> str:
    """What is wrong, for the administrator: Radicale's messages name its own types."""
    if section not in configuration.sections():
        return f"[{section}] is no section; known are {', '.join(_known(configuration))}"
    if option not in configuration.options(section):
        return f"[{section}] has no option {option!r}"
    because = re.search(r"\((.*)\)\s*$", message, re.DOTALL)
    return f"[{section}] {option}: {because[1] if because else message}"


def _prefer(configuration: Configuration, section: str, option: str, value: str) -> None:
    """Give an option that the file does not name a value that fits what it does name."""
    if configuration.get_source(section, option) == _DEFAULTS:
        configuration.update({section: {option: value}}, "what follows from the other options")


def _known(configuration: Configuration) -> list[str]:
    return [name for name in configuration.sections() if not name.startswith("_")]


def _line(text: str, section: str, option: str) -> int | None:
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[(.+?)\]", line):
            inside = header[1] == section
            if inside and not option:
                return number
        elif inside and re.match(rf"{re.escape(option)}\s*[=:]", line, re.IGNORECASE):
            return number
    return None


def _settings(path: Path, text: str, configuration: Configuration) -> Settings:
    def get(section: str, option: str) -> Any:
        return configuration.get(section, option)

    def needed(section: str, option: str, example: str) -> str:
        value: str = get(section, option)
        if not value:
            why = f"[{section}] {option} is missing; for example {option} = {example}"
            raise ConfigurationError(str(path), why, _line(text, section, ""))
        return value

    def file(section: str, option: str) -> Path | None:
        name = get(section, option)
        return Path(name).expanduser() if name else None

    schemes = get("auth", "schemes")
    htpasswd, htdigest = file("auth", "htpasswd_filename"), file("auth", "htdigest_filename")
    if "basic" not in schemes and configuration.get_source("auth", "htpasswd_filename") != str(
        path
    ):
        htpasswd = None  # nobody asked for the file of our default
    directories = get("auth", "directories")
    if FILES not in directories:
        htpasswd = htdigest = None
    if directories != (FILES,) and "basic" not in schemes:
        raise ConfigurationError(
            str(path),
            "[auth] directories other than files need schemes = basic, or 'digest, basic'",
            _line(text, "auth", "directories"),
        )
    if "digest" in schemes:
        if FILES not in directories:
            raise ConfigurationError(
                str(path),
                "[auth] schemes: HTTP Digest is for the accounts of the files; say "
                "directories = files, …, or schemes = basic",
                _line(text, "auth", "schemes"),
            )
        needed("auth", "htdigest_filename", "/etc/kalends/users.htdigest")
    database = needed("storage", "database", "sqlite:////var/lib/kalends/kalends.db")
    feeds = get("kalends", "feeds")
    folder = needed("kalends", "feeds_folder", "/var/lib/kalends/feeds") if feeds else ""
    tls = bool(get("server", "ssl"))
    why = _refusal_of_feeds_hosts(configuration, has_feeds=bool(feeds))
    if why:
        line = _line(text, "kalends", "feeds_hosts")
        raise ConfigurationError(str(path), f"[kalends] feeds_hosts {why}", line)
    _require_own_ports(path, text, configuration)
    return Settings(
        path=path,
        hosts=get("server", "hosts"),
        database=database,
        htpasswd=htpasswd,
        htdigest=htdigest,
        htgroup=file("auth", "htgroup_filename"),
        directories=directories,
        realm=get("auth", "realm"),
        schemes=schemes,
        basic_over_http=get("auth", "basic_over_http"),
        basic_from_htdigest=get("auth", "basic_from_htdigest"),
        digest_without_qop=get("auth", "digest_without_qop"),
        nonce_folder=file("auth", "nonce_folder"),
        first_collections=get("storage", "predefined_collections"),
        first_group_collections=get("storage", "group_collections"),
        feeds=file("kalends", "feeds"),
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
        max_resource_size=get("server", "max_resource_size"),
        trusted_proxies=get("kalends", "trusted_proxies"),
        prefix=get("server", "script_name"),
        certificate=Path(get("server", "certificate")) if tls else None,
        key=Path(get("server", "key")) if tls else None,
    )


def _require_own_ports(path: Path, text: str, configuration: Configuration) -> None:
    """See that what is for the administrator alone has ports that nothing else has."""
    others = (*configuration.get("server", "hosts"), *configuration.get("kalends", "feeds_hosts"))
    both = ports(configuration.get("kalends", "admin_hosts")) & ports(others)
    if both:
        why = f"[kalends] admin_hosts needs another port than {min(both)}, which others have"
        raise ConfigurationError(str(path), why, _line(text, "kalends", "admin_hosts"))


def _refusal_of_feeds_hosts(configuration: Configuration, *, has_feeds: bool) -> str | None:
    """Why there can be no second listener as it is asked for; None if there can."""
    wanted = configuration.get("kalends", "feeds_hosts")
    if wanted and not has_feeds:
        return "offers nothing, since [kalends] feeds names no definitions"
    both = ports(configuration.get("server", "hosts")) & ports(wanted)
    return f"needs another port than {min(both)}, which [server] hosts has" if both else None
