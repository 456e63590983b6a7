"""The first schema of the store."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "collection",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("path", _TEXT, nullable=False, unique=True),
        sa.Column("parent", _TEXT, index=True),
        sa.Column("tag", _TEXT, nullable=False),
        sa.Column("props", _TEXT, nullable=False),
        sa.Column("incarnation", _TEXT, nullable=False),
        sa.Column("modseq", sa.BigInteger, nullable=False),
        sa.Column("forgotten", sa.BigInteger, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "object",
        sa.Column("id", _ID, primary_key=True),
        _collection_id(),
        sa.Column("href", _TEXT, nullable=False),
        sa.Column("uid", _TEXT, nullable=False),
        sa.Column("etag", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("component", _TEXT, nullable=False),
        sa.Column("first_start", sa.BigInteger),
        sa.Column("last_end", sa.BigInteger),
        sa.Column("recurring", sa.Boolean, nullable=False),
        sa.Column("modseq", sa.BigInteger, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("collection_id", "href"),
        sa.UniqueConstraint("collection_id", "uid"),
        sqlite_autoincrement=True,
    )
    op.create_index("object_modseq", "object", ["collection_id", "modseq"])
    op.create_index("object_range", "object", ["collection_id", "last_end"])
    op.create_index("object_uid", "object", ["uid"])
    op.create_table(
        "tombstone",
        sa.Column("id", _ID, primary_key=True),
        _collection_id(),
        sa.Column("href", _TEXT, nullable=False),
        sa.Column("object_id", _ID, nullable=False),
        sa.Column("uid", _TEXT, nullable=False),
        sa.Column("modseq", sa.BigInteger, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("tombstone_modseq", "tombstone", ["collection_id", "modseq"])
    op.create_table(
        "feed_secret",
        sa.Column("feed", _TEXT, primary_key=True),
        sa.Column("person", _TEXT, primary_key=True),
        sa.Column("secret", _TEXT, nullable=False, unique=True),
    )
    op.create_table(
        "publication",
        sa.Column("target", _TEXT, primary_key=True),
        sa.Column("key", _TEXT, nullable=False),
    )


def _collection_id() -> sa.Column[int]:
    return sa.Column(
        "collection_id", _ID, sa.ForeignKey("collection.id", ondelete="CASCADE"), nullable=False
    )
