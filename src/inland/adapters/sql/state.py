"""The plant's state in SQL: one table per noun, written and read inside a caller's transaction."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import msgspec
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Integer,
    String,
    Table,
    Text,
    delete,
    false,
    insert,
    select,
    update,
)

from inland.adapters.sql.schema_base import Int64, metadata
from inland.domain.capacity import Profile
from inland.domain.contracts import Contract, Tier
from inland.domain.guards import Guard
from inland.domain.labels import Classification, Label, Purpose
from inland.domain.places import Known, Place
from inland.domain.plant import (
    Deployment,
    EngineKind,
    Feature,
    Key,
    Model,
    Replica,
    ReplicaState,
    Role,
    Tenant,
)
from inland.domain.releases import Release

#: A row as SQLAlchemy gives it, by column name.
Row = Mapping[str, Any]

#: Tables of one row hold it under this id.
_ONLY = 1

TENANTS = Table(
    "tenants",
    metadata,
    Column("id", String, primary_key=True),
    Column("label", JSON, nullable=False),
    Column("suspended", Boolean, nullable=False),
    Column("declared", Boolean, nullable=False),
    Column("withdrawn", Boolean, nullable=False, server_default=false()),
)
KEYS = Table(
    "keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant", String, nullable=True, index=True),
    Column("role", String, nullable=False),
    Column("secret_sha256", String, nullable=False),
    Column("models", JSON, nullable=False),
    Column("expires_unix_s", Int64, nullable=True),
    Column("revoked", Boolean, nullable=False),
    Column("declared", Boolean, nullable=False),
    Column("created_unix_s", Int64, nullable=False),
    Column("successor", String, nullable=True),
    Column("batch", Boolean, nullable=False, server_default=false()),
)
MODELS = Table(
    "models",
    metadata,
    Column("id", String, primary_key=True),
    Column("label", JSON, nullable=False),
    Column("shared_with", JSON, nullable=False),
    Column("digest", String, nullable=True),
    Column("file", String, nullable=True),
    Column("licence", String, nullable=True),
    Column("declared", Boolean, nullable=False),
    Column("is_adapter", Boolean, nullable=False, server_default=false()),
)
DEPLOYMENTS = Table(
    "deployments",
    metadata,
    Column("name", String, primary_key=True),
    Column("engine", String, nullable=False),
    Column("model", String, nullable=False),
    Column("place", JSON, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("context", Integer, nullable=False),
    Column("threads", Integer, nullable=False),
    Column("replicas", Integer, nullable=False),
    Column("url", String, nullable=True),
    Column("upstream_model", String, nullable=True),
    Column("declared", Boolean, nullable=False),
    Column("supports", JSON, nullable=True),
)
REPLICAS = Table(
    "replicas",
    metadata,
    Column("id", String, primary_key=True),
    Column("deployment", String, nullable=False, index=True),
    Column("state", String, nullable=False),
    Column("address", String, nullable=False),
    Column("place", JSON, nullable=False),
    Column("isolation", String, nullable=False),
    Column("template", JSON(none_as_null=True), nullable=True),
    Column("adapters", JSON(none_as_null=True), nullable=True),
)
PROFILES = Table(
    "profiles",
    metadata,
    Column("deployment", String, primary_key=True),
    Column("profile", JSON, nullable=False),
)
CONTRACTS = Table(
    "contracts",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant", String, nullable=False, index=True),
    Column("deployment", String, nullable=False),
    Column("tokens_per_second", Integer, nullable=False),
    Column("ttft_ms", Integer, nullable=True),
    Column("prompt_tokens", Integer, nullable=False),
    Column("burst_tokens", Integer, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("tier", String, nullable=False),
    Column("declared", Boolean, nullable=False),
    Column("since_unix_s", Int64, nullable=False),
    Column("until_unix_s", Int64, nullable=True),
)
GUARDS = Table(
    "guards",
    metadata,
    Column("name", String, primary_key=True),
    Column("guard", JSON, nullable=False),
)
RELEASES = Table(
    "releases",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant", String, nullable=False, index=True),
    Column("past", Boolean, nullable=False),
    Column("release", JSON, nullable=False),
    Column("statement", Text, nullable=True),
)
POLICIES = Table(
    "policies",
    metadata,
    Column("digest", String, primary_key=True),
    Column("text", Text, nullable=False),
)
#: What is in force: which policy set, and how often anything changed.
IN_FORCE = Table(
    "in_force",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("policy", String, nullable=True),
    Column("version", Int64, nullable=False),
)


class SqlState:
    """`ports.state.StateTables` over one SQLAlchemy connection, inside its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def tenants(self) -> dict[str, Tenant]:
        return {row["id"]: _tenant(row) for row in self._rows(TENANTS)}

    def tenant(self, tenant: str) -> Tenant | None:
        row = self._row(TENANTS, tenant)
        return None if row is None else _tenant(row)

    def put_tenant(self, tenant: Tenant) -> None:
        self._put(
            TENANTS,
            {
                "id": tenant.id,
                "label": label_row(tenant.label),
                "suspended": tenant.suspended,
                "declared": tenant.declared,
                "withdrawn": tenant.withdrawn,
            },
        )

    def keys(self) -> dict[str, Key]:
        return {row["id"]: _key(row) for row in self._rows(KEYS)}

    def key(self, key: str) -> Key | None:
        row = self._row(KEYS, key)
        return None if row is None else _key(row)

    def put_key(self, key: Key) -> None:
        self._put(
            KEYS,
            {
                "id": key.id,
                "tenant": key.tenant,
                "role": key.role.value,
                "secret_sha256": key.secret_sha256,
                "models": list(key.models),
                "expires_unix_s": key.expires_unix_s,
                "revoked": key.revoked,
                "declared": key.declared,
                "created_unix_s": key.created_unix_s,
                "successor": key.successor,
                "batch": key.batch,
            },
        )

    def models(self) -> dict[str, Model]:
        return {row["id"]: _model(row) for row in self._rows(MODELS)}

    def put_model(self, model: Model) -> None:
        self._put(
            MODELS,
            {
                "id": model.id,
                "label": label_row(model.label),
                "shared_with": list(model.shared_with),
                "digest": model.digest,
                "file": model.file,
                "licence": model.licence,
                "declared": model.declared,
                "is_adapter": model.is_adapter,
            },
        )

    def remove_model(self, model: str) -> None:
        self._connection.execute(delete(MODELS).where(MODELS.c.id == model))

    def deployments(self) -> dict[str, Deployment]:
        return {row["name"]: _deployment(row) for row in self._rows(DEPLOYMENTS)}

    def put_deployment(self, deployment: Deployment) -> None:
        self._put(
            DEPLOYMENTS,
            {
                "name": deployment.name,
                "engine": deployment.engine.value,
                "model": deployment.model,
                "place": _place_row(deployment.place),
                "slots": deployment.slots,
                "context": deployment.context,
                "threads": deployment.threads,
                "replicas": deployment.replicas,
                "url": deployment.url,
                "upstream_model": deployment.upstream_model,
                "declared": deployment.declared,
                "supports": [feature.value for feature in deployment.supports],
            },
        )

    def remove_deployment(self, name: str) -> None:
        self._connection.execute(delete(DEPLOYMENTS).where(DEPLOYMENTS.c.name == name))

    def replicas(self) -> dict[str, Replica]:
        return {row["id"]: _replica(row) for row in self._rows(REPLICAS)}

    def put_replica(self, replica: Replica) -> None:
        self._put(
            REPLICAS,
            {
                "id": replica.id,
                "deployment": replica.deployment,
                "state": replica.state.value,
                "address": replica.address,
                "place": _place_row(replica.place),
                "isolation": replica.isolation,
                "template": _features_row(replica.template),
                "adapters": list(replica.adapters) or None,
            },
        )

    def remove_replica(self, replica: str) -> None:
        self._connection.execute(delete(REPLICAS).where(REPLICAS.c.id == replica))

    def profiles(self) -> dict[str, Profile]:
        return {row["deployment"]: _profile(row) for row in self._rows(PROFILES)}

    def put_profile(self, profile: Profile) -> None:
        self._put(PROFILES, {"deployment": profile.deployment, "profile": asdict(profile)})

    def remove_profile(self, deployment: str) -> None:
        self._connection.execute(delete(PROFILES).where(PROFILES.c.deployment == deployment))

    def guards(self) -> dict[str, Guard]:
        return {row["name"]: msgspec.convert(row["guard"], Guard) for row in self._rows(GUARDS)}

    def put_guard(self, guard: Guard) -> None:
        self._put(GUARDS, {"name": guard.name, "guard": msgspec.to_builtins(guard)})

    def remove_guard(self, name: str) -> None:
        self._connection.execute(delete(GUARDS).where(GUARDS.c.name == name))

    def releases(self, *, past: bool = False) -> dict[str, Release]:
        rows = self._rows(RELEASES, None if past else RELEASES.c.past.is_(False))
        return {row["id"]: msgspec.convert(row["release"], Release) for row in rows}

    def release(self, release: str) -> Release | None:
        row = self._row(RELEASES, release)
        return None if row is None else msgspec.convert(row["release"], Release)

    def put_release(self, release: Release) -> None:
        row = {"id": release.id, "tenant": release.tenant, "past": release.past}
        self._put(RELEASES, {**row, "release": msgspec.to_builtins(release)})

    def statement(self, release: str) -> str | None:
        row = self._row(RELEASES, release)
        return None if row is None else row["statement"]

    def put_statement(self, release: str, signed: str) -> None:
        its = RELEASES.c.id == release
        self._connection.execute(update(RELEASES).where(its).values(statement=signed))

    def contracts(self, *, ended: bool = False) -> dict[str, Contract]:
        in_force = CONTRACTS.c.until_unix_s.is_(None)
        rows = self._rows(CONTRACTS, None if ended else in_force)
        return {row["id"]: _contract(row) for row in rows}

    def put_contract(self, contract: Contract) -> None:
        self._put(CONTRACTS, {**asdict(contract), "tier": contract.tier.value})

    def policy(self, digest: str) -> str | None:
        query = select(POLICIES.c.text).where(POLICIES.c.digest == digest)
        return self._connection.execute(query).scalar_one_or_none()

    def current_policy(self) -> tuple[str, str] | None:
        digest = self._connection.execute(select(IN_FORCE.c.policy)).scalar_one_or_none()
        text = self.policy(digest) if digest is not None else None
        return None if digest is None or text is None else (digest, text)

    def set_policy(self, digest: str, text: str) -> None:
        if self.policy(digest) is None:
            self._connection.execute(insert(POLICIES).values(digest=digest, text=text))
        self._in_force(policy=digest)

    def version(self) -> int:
        version = self._connection.execute(select(IN_FORCE.c.version)).scalar_one_or_none()
        return 0 if version is None else version

    def raise_version(self) -> int:
        version = self.version() + 1
        self._in_force(version=version)
        return version

    def _in_force(self, **values: Any) -> None:
        changed = self._connection.execute(
            update(IN_FORCE).where(IN_FORCE.c.id == _ONLY).values(**values)
        )
        if changed.rowcount == 0:
            first = {"id": _ONLY, "policy": None, "version": 0, **values}
            self._connection.execute(insert(IN_FORCE).values(**first))

    def _rows(self, table: Table, where: ColumnElement[bool] | None = None) -> list[Row]:
        """Every row, or those `where`, by id, so that one state always reads the same.

        Sorted here, for databases differ in what order texts have.
        """
        (identity,) = table.primary_key.columns
        query = select(table) if where is None else select(table).where(where)
        rows = [dict(row) for row in self._connection.execute(query).mappings()]
        return sorted(rows, key=lambda row: str(row[identity.name]))

    def _row(self, table: Table, value: str) -> Row | None:
        """The row with that id."""
        (identity,) = table.primary_key.columns
        found = self._connection.execute(select(table).where(identity == value)).mappings().first()
        return None if found is None else dict(found)

    def _put(self, table: Table, values: dict[str, Any]) -> None:
        (identity,) = table.primary_key.columns
        changed = self._connection.execute(
            update(table).where(identity == values[identity.name]).values(**values)
        )
        if changed.rowcount == 0:
            self._connection.execute(insert(table).values(**values))


def _tenant(row: Row) -> Tenant:
    return Tenant(
        row["id"],
        label_of(row["label"]),
        suspended=row["suspended"],
        declared=row["declared"],
        withdrawn=row["withdrawn"],
    )


def _key(row: Row) -> Key:
    return Key(
        id=row["id"],
        tenant=row["tenant"],
        role=Role(row["role"]),
        secret_sha256=row["secret_sha256"],
        models=tuple(row["models"]),
        expires_unix_s=row["expires_unix_s"],
        revoked=row["revoked"],
        declared=row["declared"],
        created_unix_s=row["created_unix_s"],
        successor=row["successor"],
        batch=row["batch"],
    )


def _model(row: Row) -> Model:
    return Model(
        id=row["id"],
        label=label_of(row["label"]),
        shared_with=tuple(row["shared_with"]),
        digest=row["digest"],
        file=row["file"],
        licence=row["licence"],
        declared=row["declared"],
        is_adapter=row["is_adapter"],
    )


def _deployment(row: Row) -> Deployment:
    typed = {
        "engine": EngineKind(row["engine"]),
        "place": _place(row["place"]),
        "supports": _features(row["supports"]) or (),
    }
    return Deployment(**{**row, **typed})


def _replica(row: Row) -> Replica:
    return Replica(
        id=row["id"],
        deployment=row["deployment"],
        state=ReplicaState(row["state"]),
        address=row["address"],
        place=_place(row["place"]),
        isolation=row["isolation"],
        template=_features(row["template"]),
        adapters=tuple(row["adapters"] or ()),
    )


def _profile(row: Row) -> Profile:
    return msgspec.convert(row["profile"], Profile)


def _contract(row: Row) -> Contract:
    return Contract(**{**row, "tier": Tier(row["tier"])})


def _features_row(features: tuple[Feature, ...] | None) -> list[str] | None:
    return None if features is None else [feature.value for feature in features]


def _features(row: list[str] | None) -> tuple[Feature, ...] | None:
    return None if row is None else tuple(Feature(feature) for feature in row)


def _place_row(place: Place) -> dict[str, str]:
    return {
        "id": place.id,
        "stands": place.stands,
        "operated": place.operated,
        "known": place.known.value,
    }


def _place(row: Row) -> Place:
    return Place(row["id"], row["stands"], row["operated"], Known(row["known"]))


def label_row(label: Label) -> dict[str, Any]:
    return {
        "owner": label.owner,
        "jurisdictions": list(label.jurisdictions),
        "classification": label.classification.value,
        "purposes": [purpose.value for purpose in label.purposes],
        "derived_purposes": [purpose.value for purpose in label.derived_purposes],
        "retention_days": label.retention_days,
        "storage": None if label.storage is None else list(label.storage),
    }


def label_of(row: Row) -> Label:
    return Label(
        owner=row["owner"],
        jurisdictions=tuple(row["jurisdictions"]),
        classification=Classification(row["classification"]),
        purposes=tuple(Purpose(purpose) for purpose in row["purposes"]),
        derived_purposes=tuple(Purpose(purpose) for purpose in row["derived_purposes"]),
        retention_days=row["retention_days"],
        storage=None if row.get("storage") is None else tuple(row["storage"]),
    )
