"""Schema of the configuration file: Radicale's options with Kalends' defaults, and its own."""

from __future__ import annotations

import copy
import json
from typing import Any

from radicale.config import DEFAULT_CONFIG_SCHEMA

from kalends.config.options import OPTIONS

# Kalends' plug-ins: each is the default, and internal, so that Radicale refuses unknown options.
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

# Defaults that differ from Radicale's. Its delays after a failed login would hold worker threads;
# Kalends has a throttle of its own.
_OUR_DEFAULTS = {
    ("auth", "delay"): "0",
    ("server", "delay_on_error"): "0",
    # Programs send ten requests in a row; the directory is asked once for them.
    ("auth", "cache_logins"): "True",
    # Every name that HTTP allows can be stored; Kalends has its own rule on who has a home.
    ("server", "validate_path_value"): "none",
    ("server", "validate_user_value"): "none",
    ("storage", "predefined_collections"): json.dumps(_FIRST_COLLECTIONS),
    ("logging", "level"): "warning",
}


# Kalends' options that have an effect in a stock Radicale with Kalends' plug-ins. Options that
# Radicale has too are in its own schema.
_STOCK_OPTIONS = {
    "auth": ("htdigest_filename", "htgroup_filename", "basic_from_htdigest"),
    "storage": ("database", "group_collections", "max_collections"),
}


def stock_schema(section: str) -> dict[str, dict[str, Any]]:
    """Return the options that Kalends' plug-in of a section adds to a stock Radicale."""
    ours = full_schema()[section]
    return {section: {name: ours[name] for name in _STOCK_OPTIONS[section]}}


def full_schema() -> dict[str, Any]:
    """Return all options with default, help and type, in Radicale's format."""
    found: dict[str, Any] = copy.deepcopy(dict(DEFAULT_CONFIG_SCHEMA))
    found["kalends"] = {}
    for option in OPTIONS:
        found[option.section][option.name] = {
            "value": option.default,
            "help": option.help,
            "type": option.type,
        }
    for section, name in _OUR_TYPES.items():
        described = found[section]["type"]
        described["value"] = name
        described["internal"] = (*described["internal"], name)
    found["storage"]["group_collections"] = {
        **found["storage"]["predefined_collections"],
        "value": json.dumps(_FIRST_GROUP_COLLECTIONS),
        "help": "the collections of a new group (JSON)",
    }
    for (section, name), value in _OUR_DEFAULTS.items():
        found[section][name]["value"] = value
    return found
