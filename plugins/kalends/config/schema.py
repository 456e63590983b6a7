"""Which options there are: Radicale's, with defaults of ours, and our own."""

from __future__ import annotations

import copy
import json
from typing import Any

from radicale.config import DEFAULT_CONFIG_SCHEMA

from kalends.config.options import OPTIONS

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


# What of our options counts in a Radicale that runs by itself, with our plug-ins. Those that are
# Radicale's as well are in its own schema.
_STOCK_OPTIONS = {
    "auth": ("htdigest_filename", "htgroup_filename", "basic_from_htdigest"),
    "storage": ("database", "group_collections"),
}


def stock_schema(section: str) -> dict[str, dict[str, Any]]:
    """Return the options that our plug-in of a section adds to a Radicale that runs by itself."""
    ours = schema()[section]
    return {section: {name: ours[name] for name in _STOCK_OPTIONS[section]}}


def schema() -> dict[str, Any]:
    """Every option with its default, its type and what it is for, as Radicale has them."""
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
        "help": "what the calendars of a new group begin with (JSON)",
    }
    for (section, name), value in _OUR_DEFAULTS.items():
        found[section][name]["value"] = value
    return found
