"""Feedback: what was said of answers"""

import sqlalchemy as sa
from alembic import op

from inland.adapters.sql.schema_base import Int64

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "feedback",
        sa.Column("tenant", sa.String(), primary_key=True),
        sa.Column("receipt", sa.String(), primary_key=True),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("release", sa.String(), nullable=False),
        sa.Column("thumbs", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("unix_us", Int64, nullable=False),
        sa.Column("book", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("teaches", sa.Boolean(), nullable=False),
        sa.Column("waits", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_feedback_book", "feedback", ["book"])
    op.create_index("ix_feedback_release", "feedback", ["release", "unix_us"])
