"""Tables for the login state that several hosts share; a store in a file has one host."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the tables; those that may be lost in a crash are unlogged."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("CREATE TABLE shared_key (name text PRIMARY KEY, value bytea NOT NULL)")
    op.execute("CREATE UNLOGGED TABLE nonce_floor (one boolean PRIMARY KEY, since bigint NOT NULL)")
    # Space beside each row for its next version, so that an update stays within its page.
    op.execute(
        "CREATE UNLOGGED TABLE nonce_use (mac bytea PRIMARY KEY, issued bigint NOT NULL, "
        "highest bigint NOT NULL, used bigint NOT NULL) WITH (fillfactor = 50)"
    )
    op.execute(
        "CREATE UNLOGGED TABLE login_try (key bytea PRIMARY KEY, count float8 NOT NULL, "
        "at timestamptz NOT NULL, welcome boolean NOT NULL) WITH (fillfactor = 50)"
    )
