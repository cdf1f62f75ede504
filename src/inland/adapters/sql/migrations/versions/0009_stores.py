"""Content of assets may lie in several stores"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    for name, default in (("store", "local"), ("other_store", "")):
        column = sa.Column(name, sa.String(), nullable=False, server_default=default)
        op.add_column("assets", column)
