"""Records may be destroyed: which, and what is kept of what they came to"""

import sqlalchemy as sa
from alembic import op

from inland.adapters.sql.schema_base import Int64

revision = "0011"
down_revision = "0010"

_COUNTS = (
    "requests",
    "unbilled",
    "refused",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "wasted_tokens_estimated",
)


def upgrade() -> None:
    op.create_table(
        "destructions",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("before_unix_s", Int64, nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("volumes", sa.JSON(), nullable=False),
        sa.Column("record", sa.String(), nullable=True),
    )
    op.create_index("ix_destructions_tenant", "destructions", ["tenant"])
    op.create_table(
        "kept_usage",
        sa.Column("destruction", sa.String(), primary_key=True),
        sa.Column("writer", sa.String(), primary_key=True),
        sa.Column("hour_unix_s", Int64, primary_key=True, autoincrement=False),
        sa.Column("tenant", sa.String(), primary_key=True),
        sa.Column("deployment", sa.String(), primary_key=True),
        sa.Column("key", sa.String(), primary_key=True),
        *(sa.Column(name, Int64, nullable=False) for name in _COUNTS),
    )
    op.create_table(
        "kept_invoices",
        sa.Column("tenant", sa.String(), primary_key=True),
        sa.Column("month", sa.String(), primary_key=True),
        sa.Column("invoice", sa.JSON(), nullable=False),
    )
