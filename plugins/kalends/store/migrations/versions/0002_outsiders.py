"""A table for external accounts, which no user file names."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table."""
    op.create_table("outsider", sa.Column("name", _TEXT, primary_key=True))
