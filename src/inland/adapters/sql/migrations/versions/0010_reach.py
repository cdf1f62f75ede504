"""What erases reach, and whose assets' names rest under a key of the tenant's"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "asset_reach",
        sa.Column("root", sa.String(), primary_key=True),
        sa.Column("asset", sa.String(), primary_key=True),
        sa.Column("step", sa.String(), nullable=False),
    )
    op.create_index("ix_asset_reach_asset", "asset_reach", ["asset"])
    op.create_index("ix_asset_reach_root_step", "asset_reach", ["root", "step"])
    op.create_table(
        "asset_older_texts",
        sa.Column("tenant", sa.String(), primary_key=True),
        sa.Column("asset", sa.String(), primary_key=True),
    )
    # Every tenant that ever had one, with no asset's id: its key goes when the others are gone.
    op.execute("INSERT INTO asset_older_texts SELECT DISTINCT tenant, '' FROM assets")
    op.execute(
        "INSERT INTO asset_older_texts SELECT tenant, id FROM assets"
        " WHERE state NOT IN ('erasing', 'erased')"
    )
    # Erases under way begin anew: what they reach is closed, and found again.
    op.execute(
        "INSERT INTO asset_reach SELECT DISTINCT asset, asset, 'met' FROM asset_intents"
        " WHERE act = 'erase'"
    )
