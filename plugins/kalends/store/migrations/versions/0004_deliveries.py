"""A table for the deliveries of feeds to other servers."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "delivery",
        sa.Column("target", sa.String, primary_key=True),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("etag", sa.String, nullable=False),
        sa.Column("delivered", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("why", sa.String, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("claimant", sa.String, nullable=False),
        sa.Column("claimed_until", sa.BigInteger, nullable=False),
    )
