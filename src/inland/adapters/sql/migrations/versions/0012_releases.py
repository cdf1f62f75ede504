"""Releases, and the adapters that engines have"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "releases",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("past", sa.Boolean(), nullable=False),
        sa.Column("release", sa.JSON(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=True),
    )
    op.create_index("ix_releases_tenant", "releases", ["tenant"])
    op.add_column(
        "models",
        sa.Column("is_adapter", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("replicas", sa.Column("adapters", sa.JSON(), nullable=True))
