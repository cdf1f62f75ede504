"""What deployments support: declared of servers elsewhere, seen on the templates of replicas here.

A server that was declared before this could be asked for chat, and for no more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_AS_BEFORE = ["chat", "system", "logprobs"]


def upgrade() -> None:
    op.add_column("deployments", sa.Column("supports", sa.JSON(), nullable=True))
    op.add_column("replicas", sa.Column("template", sa.JSON(), nullable=True))
    deployments = sa.table(
        "deployments", sa.column("engine", sa.String), sa.column("supports", sa.JSON)
    )
    op.execute(
        deployments.update().where(deployments.c.engine == "openai").values(supports=_AS_BEFORE)
    )
