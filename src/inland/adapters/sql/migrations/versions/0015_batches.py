"""Batches and their sealed answers; keys that act for batches"""

import sqlalchemy as sa
from alembic import op

from inland.adapters.sql.schema_base import Int64

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_unix_s", Int64, nullable=False),
        sa.Column("batch", sa.JSON(), nullable=False),
    )
    op.create_index("ix_batches_state", "batches", ["state"])
    op.create_index("ix_batches_tenant_created", "batches", ["tenant", "created_unix_s"])
    op.create_table(
        "batch_answers",
        sa.Column("batch", sa.String(), primary_key=True),
        sa.Column("number", Int64, primary_key=True, autoincrement=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("size", Int64, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
    )
    op.add_column(
        "keys", sa.Column("batch", sa.Boolean(), nullable=False, server_default=sa.false())
    )
