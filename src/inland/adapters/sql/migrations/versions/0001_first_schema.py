"""The first schema: nouns, site log, batches, positions, ids, usage"""

import sqlalchemy as sa
from alembic import op

_INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward; there is no way back but a copy."""
    _tenants()
    _plant()
    _log()
    _batches()


def _tenants() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("label", sa.JSON(), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("secret_sha256", sa.String(), nullable=False),
        sa.Column("models", sa.JSON(), nullable=False),
        sa.Column("expires_unix_s", _INT64, nullable=True),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.Column("created_unix_s", _INT64, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
    )
    op.create_index("ix_keys_tenant", "keys", ["tenant"], unique=False)
    op.create_table(
        "policies",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_policies")),
    )
    op.create_table(
        "in_force",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("policy", sa.String(), nullable=True),
        sa.Column("version", _INT64, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_in_force")),
    )


def _plant() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("label", sa.JSON(), nullable=False),
        sa.Column("shared_with", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(), nullable=True),
        sa.Column("file", sa.String(), nullable=True),
        sa.Column("licence", sa.String(), nullable=True),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
    )
    op.create_table(
        "deployments",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("place", sa.JSON(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("context", sa.Integer(), nullable=False),
        sa.Column("threads", sa.Integer(), nullable=False),
        sa.Column("replicas", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("upstream_model", sa.String(), nullable=True),
        sa.Column("declared", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_deployments")),
    )
    op.create_table(
        "replicas",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("deployment", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("place", sa.JSON(), nullable=False),
        sa.Column("isolation", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replicas")),
    )
    op.create_index("ix_replicas_deployment", "replicas", ["deployment"], unique=False)


def _log() -> None:
    op.create_table(
        "logs",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("checkpoint_size", _INT64, nullable=True),
        sa.Column("checkpoint_root", sa.LargeBinary(), nullable=True),
        sa.Column("checkpoint", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_logs")),
        sa.UniqueConstraint("origin", name=op.f("uq_logs_origin")),
    )
    op.create_table(
        "log_entries",
        sa.Column("log", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("index", _INT64, autoincrement=False, nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log", "index", name=op.f("pk_log_entries")),
        sa.UniqueConstraint("ref", name=op.f("uq_log_entries_ref")),
    )
    op.create_table(
        "positions",
        sa.Column("writer", sa.String(), nullable=False),
        sa.Column("booked", _INT64, nullable=False),
        sa.Column("batches", _INT64, nullable=False),
        sa.Column("damage", sa.Text(), nullable=True),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("writer", name=op.f("pk_positions")),
    )
    op.create_table(
        "volumes",
        sa.Column("writer", sa.String(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("bytes", _INT64, nullable=False),
        sa.Column("records", _INT64, nullable=False),
        sa.Column("batches", _INT64, nullable=False),
        sa.PrimaryKeyConstraint("writer", "tenant", name=op.f("pk_volumes")),
    )


def _batches() -> None:
    op.create_table(
        "tenant_batches",
        sa.Column("id", _INT64, autoincrement=False, nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("writer", sa.String(), nullable=False),
        sa.Column("number", _INT64, nullable=False),
        sa.Column("batch", _INT64, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("offset", _INT64, nullable=False),
        sa.Column("length", _INT64, nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenant_batches")),
    )
    op.create_index("ix_tenant_batches_tenant_id", "tenant_batches", ["tenant", "id"], unique=False)
    op.create_index(
        "ix_tenant_batches_writer_batch",
        "tenant_batches",
        ["writer", "batch", "position"],
        unique=True,
    )
    op.create_table(
        "record_ids",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("batch", _INT64, nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_ids")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage",
        sa.Column("hour_unix_s", _INT64, autoincrement=False, nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("deployment", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("requests", _INT64, nullable=False),
        sa.Column("unbilled", _INT64, nullable=False),
        sa.Column("refused", _INT64, nullable=False),
        sa.Column("prompt_tokens", _INT64, nullable=False),
        sa.Column("completion_tokens", _INT64, nullable=False),
        sa.Column("cached_tokens", _INT64, nullable=False),
        sa.Column("wasted_tokens_estimated", _INT64, nullable=False),
        sa.PrimaryKeyConstraint(
            "hour_unix_s", "tenant", "deployment", "key", name=op.f("pk_usage")
        ),
    )
