"""The tables in SQLAlchemy Core; ``migrations/`` upgrades a database to this schema.

Every change of a collection takes the next ``modseq`` of that collection: ctags, sync-tokens and
the keys of feeds are derived from it. Times are microseconds since 1970, UTC; instants of the index
are seconds since 1970, UTC.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    text,
)

HEAD = "0007"
"""The newest migration, which this code needs; a test compares it with the migrations folder."""

metadata = MetaData()

# SQLite reuses ids unless AUTOINCREMENT is set; a sync-token must never match a collection that was
# created later at the same path.
_ID = BigInteger().with_variant(Integer, "sqlite")

# PostgreSQL sorts by locale unless a collation is set: feeds need the order of code points.
_TEXT = String().with_variant(String(collation="C"), "postgresql")

collection = Table(
    "collection",
    metadata,
    Column("id", _ID, primary_key=True),
    # "" is the root, "alice" a home, "alice/work" a calendar: no slash at either end.
    Column("path", _TEXT, nullable=False, unique=True),
    Column("parent", _TEXT, index=True),
    # VCALENDAR, VADDRESSBOOK, VSUBSCRIBED, or "" for a home or a plain folder.
    Column("tag", _TEXT, nullable=False),
    Column("props", _TEXT, nullable=False),
    # A random name for this incarnation: tokens of an earlier incarnation never match.
    Column("incarnation", _TEXT, nullable=False),
    Column("modseq", BigInteger, nullable=False),
    # Removals up to this modseq are no longer known; tokens older than it are refused.
    Column("forgotten", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

alias = Table(
    "alias",
    metadata,
    # A former path of a collection, at which it goes on to answer: see ``aliases.py``.
    Column("path", _TEXT, primary_key=True),
    Column(
        "collection_id",
        _ID,
        ForeignKey("collection.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
)

calendar_object = Table(
    "object",
    metadata,
    Column("id", _ID, primary_key=True),
    Column(
        "collection_id",
        _ID,
        ForeignKey("collection.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("href", _TEXT, nullable=False),
    Column("uid", _TEXT, nullable=False),
    Column("etag", _TEXT, nullable=False),
    # VCALENDAR, VCARD, or FILE for a file in a folder, whose component is its media type.
    Column("kind", _TEXT, nullable=False),
    Column("component", _TEXT, nullable=False),
    # None: without a lower or an upper bound.
    Column("first_start", BigInteger),
    Column("last_end", BigInteger),
    Column("recurring", Boolean, nullable=False),
    Column("modseq", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    # The dead properties as JSON; mostly None.
    Column("props", _TEXT),
    UniqueConstraint("collection_id", "href"),
    UniqueConstraint("collection_id", "uid"),
    Index("object_modseq", "collection_id", "modseq"),
    Index("object_range", "collection_id", "last_end"),
    Index("object_uid", "uid"),
    Index(
        "object_props",
        "collection_id",
        sqlite_where=text("props IS NOT NULL"),
        postgresql_where=text("props IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

occurrence = Table(
    "occurrence",
    metadata,
    Column(
        "object_id",
        _ID,
        ForeignKey("object.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    # Seconds since 1970, UTC or local time without a zone; half open.
    Column("start", BigInteger, primary_key=True),
    Column("end", BigInteger, primary_key=True),
    # The class in which it is searched: see ``objects/time_range.py``.
    Column("span", SmallInteger, primary_key=True),
    # The length of one repetition and the step to the next; `end` is that of the last one.
    Column("length", BigInteger, primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("collection_id", _ID, nullable=False),
    Index(
        "occurrence_range", "collection_id", "span", "start", "end", "length", "step", "object_id"
    ),
    sqlite_with_rowid=False,
)

tombstone = Table(
    "tombstone",
    metadata,
    Column("id", _ID, primary_key=True),
    Column(
        "collection_id",
        _ID,
        ForeignKey("collection.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("href", _TEXT, nullable=False),
    Column("object_id", _ID, nullable=False),
    Column("uid", _TEXT, nullable=False),
    Column("modseq", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Index("tombstone_modseq", "collection_id", "modseq"),
    sqlite_autoincrement=True,
)

feed_secret = Table(
    "feed_secret",
    metadata,
    Column("feed", _TEXT, primary_key=True),
    Column("person", _TEXT, primary_key=True),
    Column("secret", _TEXT, nullable=False, unique=True),
)

publication = Table(
    "publication",
    metadata,
    # Begins with the name of the host, since every host publishes its own files.
    Column("target", _TEXT, primary_key=True),
    # The key of the published version.
    Column("key", _TEXT, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    # An address on another server: one record for all hosts.
    Column("target", String, primary_key=True),
    # The key of the version that is there now, and its entity tag there.
    Column("key", String, nullable=False),
    Column("etag", String, nullable=False),
    # Seconds since 1970.
    Column("delivered", BigInteger),
    Column("failures", Integer, nullable=False),
    Column("why", String, nullable=False),
    Column("due", BigInteger, nullable=False),
    # The worker that has the claim, and the time at which the claim expires.
    Column("claimant", String, nullable=False),
    Column("claimed_until", BigInteger, nullable=False),
)

external_account = Table(
    "outsider",
    metadata,
    # An account that the web server has logged in, and that is not in a user file.
    Column("name", _TEXT, primary_key=True),
)
