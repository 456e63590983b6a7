"""A column for the dead properties of objects, and an index of those that have some."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the column."""
    op.add_column("object", sa.Column("props", _TEXT))
    having = sa.text("props IS NOT NULL")
    op.create_index(
        "object_props",
        "object",
        ["collection_id"],
        sqlite_where=having,
        postgresql_where=having,
    )
