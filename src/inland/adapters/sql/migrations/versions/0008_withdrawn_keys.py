"""A tenant's keys may be withdrawn"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column(
        "tenants",
        sa.Column("withdrawn", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
