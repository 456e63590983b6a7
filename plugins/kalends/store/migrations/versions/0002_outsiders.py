"""Accounts that no user file names."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create their table."""
    op.create_table("outsider", sa.Column("name", sa.String, primary_key=True))
