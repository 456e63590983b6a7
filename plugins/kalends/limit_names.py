"""The names of all limits, as refusals are counted in the metrics."""

from __future__ import annotations

from enum import StrEnum


class Limit(StrEnum):
    """The limits that refuse requests, or end connections."""

    # HTTP, before the application.
    HEAD = "head"
    TARGET = "target"
    BODY = "body"
    CHUNK_FRAMING = "chunk framing"
    SPOOLED_BODIES = "spooled bodies"
    DISK = "disk"
    HEADER_TIME = "header time"
    BODY_TIME = "body time"
    RESPONSE_TIME = "response time"
    CONNECTIONS = "connections"
    # Logins.
    WAITING_LOGINS = "waiting logins"
    # Header fields.
    CONDITIONS = "conditions"
    # The XML of requests.
    XML_OCTETS = "xml octets"
    XML_ELEMENTS = "xml elements"
    XML_DEPTH = "xml depth"
    XML_ATTRIBUTES = "xml attributes"
    XML_NAMES = "xml names"
    XML_MARKUP = "xml markup"
    HREFS = "hrefs"
    HREF_LENGTH = "href length"
    PROPERTIES = "properties"
    FILTER_ELEMENTS = "filter elements"
    FILTER_TEXT = "filter text"
    # Answers.
    ANSWER = "answer"
    INSTANCES = "instances"
    REQUEST_STEPS = "request steps"
    # Calendar objects and cards.
    OBJECT_OCTETS = "object octets"
    OBJECT_STEPS = "object steps"
    LINES = "lines"
    COMPONENTS = "components"
    COMPONENT_DEPTH = "component depth"
    PARAMETERS = "parameters"
    UID = "uid"
    OVERRIDES = "overrides"
    DATES = "dates"
    RULES = "rules"
    ALARMS = "alarms"
    ATTENDEES = "attendees"
    TIME_ZONES = "time zones"
    # Files of many objects, and collections.
    FILE = "file"
    STORED_NAMES = "stored names"
    STORED_PROPERTIES = "stored properties"
    COLLECTIONS = "collections"
    COPIED = "copied at once"
