"""Guards"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "guards",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("guard", sa.JSON(), nullable=False),
    )
