"""Production lines: what is declared, its runs, their steps and logs"""

import sqlalchemy as sa
from alembic import op

from inland.adapters.sql.schema_base import Int64

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "lines",
        sa.Column("tenant", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("line", sa.JSON(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("added_unix_s", Int64, nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
    )
    op.create_table(
        "line_runs",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("began_unix_us", Int64, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("materials", sa.JSON(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("ended_unix_us", Int64, nullable=True),
    )
    op.create_index("ix_line_runs_state", "line_runs", ["state"])
    op.create_index("ix_line_runs_tenant_line", "line_runs", ["tenant", "line"])
    op.create_table(
        "line_steps",
        sa.Column("run", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), primary_key=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("inputs_digest", sa.String(), nullable=False),
        sa.Column("began_unix_us", Int64, nullable=False),
        sa.Column("outputs", sa.JSON(), nullable=False),
        sa.Column("outputs_digest", sa.String(), nullable=False),
        sa.Column("receipts", sa.JSON(), nullable=False),
        sa.Column("reused", sa.String(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("ended_unix_us", Int64, nullable=True),
    )
    op.create_index("ix_line_steps_inputs_digest", "line_steps", ["inputs_digest"])
    op.create_table(
        "line_logs",
        sa.Column("run", sa.String(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("unix_us", Int64, nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
    )
