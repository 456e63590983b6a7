"""Former addresses of collections; group calendars get names of their own."""

import sqlalchemy as sa
from alembic import op

from kalends.store.group_names import separate_names

revision = "0006"
down_revision = "0005"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table, and rename group calendars whose names end like those of accounts."""
    op.create_table(
        "alias",
        sa.Column("path", _TEXT, primary_key=True),
        sa.Column("collection_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(["collection_id"], ["collection.id"], ondelete="CASCADE"),
    )
    op.create_index("alias_collection", "alias", ["collection_id"])
    separate_names(op.get_bind())
