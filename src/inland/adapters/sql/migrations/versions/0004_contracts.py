"""What deployments were measured to do, and what tenants bought of it"""

import sqlalchemy as sa
from alembic import op

from inland.adapters.sql.schema_base import Int64

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "profiles",
        sa.Column("deployment", sa.String(), primary_key=True),
        sa.Column("profile", sa.JSON(), nullable=False),
    )
    op.create_table(
        "contracts",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("tenant", sa.String(), nullable=False, index=True),
        sa.Column("deployment", sa.String(), nullable=False),
        sa.Column("tokens_per_second", sa.Integer(), nullable=False),
        sa.Column("ttft_ms", sa.Integer(), nullable=True),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("burst_tokens", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("tier", sa.String(), nullable=False),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.Column("since_unix_s", Int64, nullable=False),
        sa.Column("until_unix_s", Int64, nullable=True),
    )
