"""`factory.toml`: what an operator declares. Read into frozen values that cannot be wrong.

A file with an unknown name, a wrong type or a dangling reference is refused whole, naming the spot.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inland.adapters.egress.door import origin
from inland.adapters.home import listening, store_table, vault_table
from inland.adapters.home.listening import Listening
from inland.adapters.home.store_table import StoreSaid
from inland.adapters.home.table import Table
from inland.adapters.home.vault_table import VaultSaid
from inland.domain.capabilities import OF_UPSTREAM
from inland.domain.contracts import Contract, Tier
from inland.domain.errors import BadInput, NotFound
from inland.domain.guards import Act, Guard, Question, Side
from inland.domain.labels import EVERYONE, FACTORY, Classification, Label, Purpose, public_label
from inland.domain.limits import Limits
from inland.domain.places import WORLD, Place, is_country, is_jurisdiction
from inland.domain.plant import Deployment, EngineKind, Feature, Model, Tenant

FILE_LIMIT_BYTES = 1024 * 1024
#: The place of everything that runs on the factory's own machine.
LOCAL_PLACE = "local"
DEFAULT_PORT = 8780


@dataclass(frozen=True, slots=True)
class DatabaseServer:
    """A PostgreSQL that is used instead of `inland.db`. `url` holds no password: a file does."""

    url: str
    password_file: Path | None


@dataclass(frozen=True, slots=True)
class Declaration:
    """All that factory.toml says, defaults filled in; tenants, models and deployments are marked
    `declared`. `upstream_key_files`: deployment → file with its bearer token.
    `permitted_endpoints`: deployments whose private or local address the operator allowed."""

    site: Place
    port: int = DEFAULT_PORT
    gateways: int = 1
    listening: Listening = field(default_factory=Listening)
    tenants: tuple[Tenant, ...] = ()
    models: tuple[Model, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    upstream_key_files: dict[str, Path] = field(default_factory=dict)
    permitted_endpoints: tuple[str, ...] = ()
    contracts: tuple[Contract, ...] = ()
    guards: tuple[Guard, ...] = ()
    limits: Limits = field(default_factory=Limits)
    database: DatabaseServer | None = None
    vault: VaultSaid = field(default_factory=VaultSaid)
    stores: tuple[StoreSaid, ...] = ()


def read(path: Path) -> Declaration:
    """What the file declares. Raises BadInput naming the spot, NotFound when there is no file."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise NotFound(f"file {path}") from None
    if len(data) > FILE_LIMIT_BYTES:
        raise BadInput(path.name, f"is longer than {FILE_LIMIT_BYTES} bytes")
    return parse(data.decode("utf-8", "replace"), path.parent)


def parse(text: str, home: Path) -> Declaration:
    """As `read`; relative file names are taken from `home`."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput("factory.toml", str(error)) from None
    top = Table("factory.toml", raw)
    site = _site(top.table("site"))
    serve = top.table("serve")
    port = serve.whole("port", DEFAULT_PORT, 0, 65_535)
    gateways = serve.whole("gateways", 1, 1, 64)
    listens = listening.from_table(serve, home)
    serve.done()
    database = _database(top.table("database"), home)
    vaults = top.table("vault")
    stores = store_table.from_tables(vaults.tables("store"), home)
    vault = vault_table.from_table(vaults, home)
    limits = Limits.of(top.table("limits").rest())
    tenants = tuple(_tenant(table, site) for table in top.tables("tenant"))
    models = tuple(_model(table) for table in top.tables("model"))
    parts = [_deployment(table, site, home) for table in top.tables("deployment")]
    contracts = tuple(_contract(table) for table in top.tables("contract"))
    guards = tuple(_guard(table) for table in top.tables("guard"))
    top.done()
    deployments = tuple(part.deployment for part in parts)
    declaration = Declaration(
        site=site,
        port=port,
        gateways=gateways,
        listening=listens,
        tenants=tenants,
        models=models + _upstream_models(deployments, models),
        deployments=deployments,
        upstream_key_files={p.deployment.name: p.key_file for p in parts if p.key_file},
        permitted_endpoints=tuple(p.deployment.name for p in parts if p.permit_endpoint),
        contracts=contracts,
        guards=guards,
        limits=limits,
        database=database,
        vault=vault,
        stores=stores,
    )
    _check_references(declaration)
    return declaration


def place_of(jurisdiction: str, operator: str, spot: str, name: str = LOCAL_PLACE) -> Place:
    """A declared place. Raises BadInput when a code is not one country's (or ZZ)."""
    for code in (jurisdiction, operator):
        if not is_country(code):
            raise BadInput(spot, f"{code!r} is not a country's code such as DE, or ZZ for unknown")
    return Place(name, jurisdiction, operator)


def _site(table: Table) -> Place:
    stands = table.text("jurisdiction")
    place = place_of(stands, table.text("operator", stands), table.spot)
    table.done()
    return place


def _database(table: Table, home: Path) -> DatabaseServer | None:
    url, file = table.text("url", ""), table.text("password_file", "")
    table.done()
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme != "postgresql" or not parts.path.strip("/"):
        raise BadInput(table.spot, "url is postgresql://USER@HOST/NAME")
    if parts.password is not None or "password" in parts.query:
        raise BadInput(table.spot, "url holds a password: put it into a file, password_file")
    return DatabaseServer(url, home / file if file else None)


def _label(table: Table, owner: str, jurisdictions: tuple[str, ...], default: Label) -> Label:
    codes = table.texts("jurisdictions", jurisdictions)
    storage = table.texts("storage", codes)
    for code in (*codes, *storage):
        if not is_jurisdiction(code):
            raise BadInput(table.spot, f"{code!r} is no jurisdiction: a country, EU, EEA, WORLD")
    return Label(
        owner,
        codes,
        table.choice("classification", Classification, default.classification),
        table.choices("purposes", Purpose, default.purposes),
        table.choices("derived_purposes", Purpose, default.derived_purposes),
        table.optional_whole("retention_days", 0, 36_500),
        None if storage == codes else storage,
    )


def _tenant(table: Table, site: Place) -> Tenant:
    name = table.name("name")
    here = tuple(dict.fromkeys((site.stands, site.operated)))
    label = _label(table, name, here, Label(name, here))
    suspended = table.flag("suspended")
    table.done()
    return Tenant(name, label, suspended=suspended, declared=True)


def _model(table: Table) -> Model:
    name = table.name("name")
    owner = table.text("owner", FACTORY)
    label = _label(table, owner, (WORLD,), public_label())
    digest = table.text("sha256", "")
    if digest and (len(digest) != 64 or set(digest) - set("0123456789abcdef")):
        raise BadInput(table.spot, "sha256 is 64 lower-case hex digits")
    model = Model(
        id=name,
        label=label,
        shared_with=table.texts("shared_with", (EVERYONE,) if owner == FACTORY else ()),
        digest=f"sha256:{digest}" if digest else None,
        file=table.text("file", "") or None,
        licence=table.text("licence", "") or None,
        declared=True,
    )
    table.done()
    if model.file and not model.digest:
        raise BadInput(table.spot, "a model with a file needs its sha256")
    return model


@dataclass(frozen=True, slots=True)
class _Deployed:
    deployment: Deployment
    key_file: Path | None
    permit_endpoint: bool


def _deployment(table: Table, site: Place, home: Path) -> _Deployed:
    name = table.name("name")
    engine = table.choice("engine", EngineKind, EngineKind.LLAMA_CPP)
    shared: dict[str, Any] = {
        "name": name,
        "engine": engine,
        "slots": table.whole("slots", 8, 1, 1024),
        "context": table.whole("context", 2048, 128, 1_048_576),
        "declared": True,
    }
    if engine.is_ours:
        deployment = Deployment(
            model=table.name("model"),
            place=site,
            threads=table.whole("threads", 1, 1, 1024),
            replicas=table.whole("replicas", 1, 1, 64),
            **shared,
        )
        table.done()
        return _Deployed(deployment, None, permit_endpoint=False)
    stands = table.text("jurisdiction")
    deployment = Deployment(
        model=table.text("model", name),
        place=place_of(stands, table.text("operator", stands), table.spot, f"upstream-{name}"),
        url=_url(table),
        upstream_model=table.text("upstream_model"),
        supports=table.choices("supports", Feature, OF_UPSTREAM),
        **shared,
    )
    key_file = table.text("key_file", "")
    permit_endpoint = table.flag("permit_endpoint")
    table.done()
    return _Deployed(deployment, home / key_file if key_file else None, permit_endpoint)


def _contract(table: Table) -> Contract:
    """Whether tenant, deployment and capacity for it are there is known when it is to be sold."""
    contract = Contract(
        id="",
        tenant=table.name("tenant"),
        deployment=table.name("deployment"),
        tokens_per_second=table.whole("tokens_per_second", 0, 0, 10_000_000),
        ttft_ms=table.optional_whole("ttft_ms", 1, 600_000),
        prompt_tokens=table.whole("prompt_tokens", 512, 1, 1_048_576),
        burst_tokens=table.whole("burst_tokens", 0, 0, 1_000_000_000),
        weight=table.whole("weight", 1, 1, 1000),
        tier=table.choice("tier", Tier, Tier.STANDARD),
        declared=True,
    )
    table.done()
    return contract


def _guard(table: Table) -> Guard:
    """Whether it can be looked for is known when it is put in force."""
    guard = Guard(
        name=table.name("name"),
        act=table.choice("act", Act, Act.BLOCK),
        finds=table.texts("finds", ()),
        patterns=table.texts("patterns", ()),
        on=table.choices("on", Side, tuple(Side)),
        deployment=table.text("deployment", "") or None,
        tenant=table.text("tenant", "") or None,
        declared=True,
        asks=_question(table),
    )
    table.done()
    return guard


def _question(table: Table) -> Question | None:
    classifier, category = table.text("classifier", ""), table.text("category", "")
    fails = table.text("fails", "closed")
    if fails not in {"closed", "open"}:
        raise BadInput(table.spot, f"fails is closed or open, not {fails!r}")
    if bool(classifier) != bool(category):
        raise BadInput(table.spot, "name a classifier and a category, or neither")
    return Question(classifier, category, fails_open=fails == "open") if classifier else None


def _url(table: Table) -> str:
    url = table.text("url")
    try:
        origin(url)
    except BadInput as error:
        raise BadInput(table.spot, error.why) from None
    return url


def _upstream_models(
    deployments: tuple[Deployment, ...], models: tuple[Model, ...]
) -> tuple[Model, ...]:
    """A model for each server that already exists and names none: public, its weights unknown."""
    known = {model.id for model in models}
    return tuple(
        Model(d.model, public_label(), (EVERYONE,), digest=None, declared=True)
        for d in deployments
        if d.engine is EngineKind.OPENAI and d.model == d.name and d.model not in known
    )


def _check_references(declaration: Declaration) -> None:
    for noun, names in (
        ("tenant", [tenant.id for tenant in declaration.tenants]),
        ("model", [model.id for model in declaration.models]),
        ("deployment", [deployment.name for deployment in declaration.deployments]),
        ("guard", [guard.name for guard in declaration.guards]),
    ):
        most = getattr(declaration.limits, f"{noun}s", len(names))
        if len(names) > most:
            raise BadInput(f"limits.{noun}s", f"is {most}, and {len(names)} are declared")
        for name in names:
            if names.count(name) > 1:
                raise BadInput(noun, f"{name} is declared twice")
    pairs = [(one.tenant, one.deployment) for one in declaration.contracts]
    for tenant, name in pairs:
        if pairs.count((tenant, name)) > 1:
            raise BadInput("contract", f"{tenant} on {name} is declared twice")
    models = {model.id: model for model in declaration.models}
    for deployment in declaration.deployments:
        model = models.get(deployment.model)
        if model is None:
            raise BadInput(
                f"deployment {deployment.name}", f"no model {deployment.model} is declared"
            )
        if deployment.engine.is_ours and not model.file:
            raise BadInput(f"deployment {deployment.name}", f"model {model.id} has no file")
