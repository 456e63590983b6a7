"""A table of the intervals of objects, to answer time ranges from an index."""

import sqlalchemy as sa
from alembic import op

from kalends.errors import ObjectRefusedError
from kalends.ical.recurrence.duration import FOREVER
from kalends.ical.recurrence.index import Interval
from kalends.ical.validate import read_calendar_object
from kalends.store.objects import time_range

revision = "0003"
down_revision = "0002"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the table, and fill it from the existing objects."""
    op.create_table(
        "occurrence",
        sa.Column("object_id", _ID, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("span", sa.SmallInteger, nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("collection_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(["object_id"], ["object.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("object_id", "start", "end", "span", "length", "step"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "occurrence_range",
        "occurrence",
        ["collection_id", "span", "start", "end", "length", "step", "object_id"],
    )
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    ids = connection.execute(
        sa.text("SELECT id FROM object WHERE kind = 'VCALENDAR' ORDER BY id")
    ).scalars()
    one = sa.text("SELECT collection_id, data FROM object WHERE id = :id")
    for object_id in ids.all():
        collection_id, data = connection.execute(one, {"id": object_id}).one()
        try:
            intervals = read_calendar_object(data).intervals
        except ObjectRefusedError:  # an earlier version accepted it: each query reads its text
            intervals = (Interval(-FOREVER, FOREVER, floating=False, certain=False),)
        time_range.add_intervals(connection, collection_id, object_id, intervals)
