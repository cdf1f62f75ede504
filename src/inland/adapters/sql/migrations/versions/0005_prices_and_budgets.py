"""Prices, budgets, and what was spent, begun from what usage says"""

import sqlalchemy as sa
from alembic import op

from inland.adapters.sql.schema_base import Int64

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "prices",
        sa.Column("deployment", sa.String(), primary_key=True),
        sa.Column("since_unix_s", Int64, primary_key=True, autoincrement=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("prompt_micros", Int64, nullable=False),
        sa.Column("cached_micros", Int64, nullable=False),
        sa.Column("completion_micros", Int64, nullable=False),
    )
    op.create_table(
        "budgets",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=True),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("limit", Int64, nullable=False),
        sa.Column("soft_percent", sa.Integer(), nullable=False),
        sa.Column("hard", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "spending",
        sa.Column("day_unix_s", Int64, primary_key=True, autoincrement=False),
        sa.Column("tenant", sa.String(), primary_key=True),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("deployment", sa.String(), primary_key=True),
        sa.Column("writer", sa.String(), primary_key=True),
        sa.Column("price_unix_s", Int64, primary_key=True, autoincrement=False),
        sa.Column("prompt_tokens", Int64, nullable=False),
        sa.Column("cached_tokens", Int64, nullable=False),
        sa.Column("completion_tokens", Int64, nullable=False),
    )
    op.execute("""
        INSERT INTO spending
        SELECT hour_unix_s - hour_unix_s % 86400, tenant, key, deployment, '', 0,
               SUM(prompt_tokens), SUM(cached_tokens), SUM(completion_tokens)
        FROM usage WHERE requests > 0
        GROUP BY hour_unix_s - hour_unix_s % 86400, tenant, key, deployment
    """)
