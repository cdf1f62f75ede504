"""A key says which one took its place"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward; there is no way back but a copy."""
    op.add_column("keys", sa.Column("successor", sa.String(), nullable=True))
