"""Assets: what there is, what is being uploaded, made from what, shared with whom, intended"""

import sqlalchemy as sa
from alembic import op

from inland.adapters.sql.schema_base import Int64

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "assets",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("title", sa.LargeBinary(), nullable=False),
        sa.Column("name_mac", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("label", sa.JSON(), nullable=False),
        sa.Column("bytes", Int64, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("resume", sa.String(), nullable=False),
        sa.Column("created_unix_us", Int64, nullable=False),
        sa.Column("touched_unix_s", Int64, nullable=False),
        sa.Column("ends_unix_s", Int64, nullable=True),
        sa.Column("erased_by", sa.String(), nullable=True),
    )
    op.create_index("ix_assets_state", "assets", ["state"])
    op.create_index("ix_assets_ends_unix_s", "assets", ["ends_unix_s"])
    op.create_index("ix_assets_tenant_name_mac", "assets", ["tenant", "name_mac"])
    op.create_table(
        "asset_shares",
        sa.Column("asset", sa.String(), primary_key=True),
        sa.Column("tenant", sa.String(), primary_key=True),
    )
    op.create_index("ix_asset_shares_tenant", "asset_shares", ["tenant"])
    op.create_table(
        "asset_parents",
        sa.Column("asset", sa.String(), primary_key=True),
        sa.Column("parent", sa.String(), primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
    )
    op.create_index("ix_asset_parents_parent", "asset_parents", ["parent"])
    op.create_table(
        "asset_parts",
        sa.Column("asset", sa.String(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "asset_intents",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("since_unix_s", Int64, nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
    )
    op.create_index("ix_asset_intents_asset", "asset_intents", ["asset"])
