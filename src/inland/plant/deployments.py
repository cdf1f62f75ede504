"""Deployments: models being served, here or by a server that exists already.

An upstream's address is judged before it is kept; its bearer token goes into a file of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from inland.decide.entities import url_endpoint
from inland.decide.residency import Residency
from inland.domain.assets import ASSET
from inland.domain.capabilities import OF_UPSTREAM
from inland.domain.errors import BadInput, Conflict, Denied, NotFound
from inland.domain.ids import is_name
from inland.domain.places import Place
from inland.domain.plant import Deployment, EngineKind, Feature, Model
from inland.plant.changes import FACTORY_FILE, Change, Changes
from inland.plant.contracts import contracts_on, end_contract, refuse_short
from inland.plant.labels import checked_place
from inland.plant.models import asset_model, local_model, upstream_model
from inland.plant.policies import permit_endpoint
from inland.plant.release_moves import retire
from inland.plant.snapshots import build_snapshot
from inland.plant.tenants import refuse_beyond
from inland.ports.policies import PolicyFolder
from inland.ports.state import StateTables

MAX_SLOTS, MAX_REPLICAS, MAX_THREADS, MAX_CONTEXT = 1024, 64, 1024, 1_048_576
MIN_CONTEXT = 128
MAX_TOKEN_CHARS = 8192
MAX_URL_CHARS = 2048


@dataclass(frozen=True, slots=True)
class Order:
    """A deployment asked for. `model` is for engines here, `asset:ID` for weights in the vault; the
    rest below it for servers elsewhere.

    `jurisdiction` and `operator`: country codes; the operator's is the same unless given.
    `supports`: what the server can be asked. `token`: its bearer token. `permit_endpoint`: add the
    policy rule that names it.
    """

    name: str
    engine: EngineKind
    model: str | None = None
    slots: int = 8
    context: int = 2048
    threads: int = 1
    replicas: int = 1
    url: str | None = None
    upstream_model: str | None = None
    jurisdiction: str | None = None
    operator: str | None = None
    supports: tuple[Feature, ...] = OF_UPSTREAM
    token: str | None = None
    permit_endpoint: bool = False

    def __repr__(self) -> str:
        return f"Order({self.name})"


class Deployments:
    """The deployments of one factory at `site`, whose engines' sockets lie in a folder."""

    def __init__(
        self,
        changes: Changes,
        site: Place,
        folder: PolicyFolder,
        most: int,
        vetted: Callable[[str], Model],
    ) -> None:
        """`most`: how many there may be. `vetted`: of an asset's id the model that its content is,
        once it was decided on and inspected."""
        self._vetted = vetted
        self._changes = changes
        self._site = site
        self._folder = folder
        self._most = most

    def all(self) -> list[Deployment]:
        """Every deployment, by name."""
        with self._changes.store.read() as transaction:
            return list(transaction.state.deployments().values())

    def add(self, who: str, order: Order) -> Deployment:
        """Serve a model. Raises BadInput, Conflict, NotFound, or Denied with the rule it takes."""
        _check_sizes(order)
        place = self._place(order)
        with self._changes.store.read() as transaction:
            _refuse_taken(transaction.state.deployments().get(order.name), order.name)
        private = self._private(order)
        if order.token is None:  # one left behind was given for another server
            self._changes.secrets.forget_upstream_key(order.name)
        else:
            self._changes.secrets.keep_upstream_key(order.name, order.token)
        try:
            return self._add(who, order, place, private)
        except Exception:
            if order.token is not None and not self._stands(order.name):
                self._changes.secrets.forget_upstream_key(order.name)
            raise

    def scale(self, who: str, name: str, replicas: int) -> Deployment:
        """Serve it by so many replicas; those beyond them drain. Returns when that is written.

        Raises BadInput, NotFound, or Conflict for what factory.toml declares, and where less would
        be left than was sold.
        """
        _check_size("replicas", replicas, 0, MAX_REPLICAS)
        with self._changes.change(who) as change:
            found = change.state.deployments().get(name)
            if found is None:
                raise NotFound(f"deployment {name!r}")
            _refuse_declared(found)
            if not found.engine.is_ours:
                raise BadInput("replicas", f"{name} is on a server that exists already")
            scaled = replace(found, replicas=replicas)
            if replicas < found.replicas:
                refuse_short(change.state, scaled)
            if scaled != found:
                change.state.put_deployment(scaled)
                before = found.replicas
                change.book("deployment.scale", name, replicas=replicas, replicas_before=before)
        return scaled

    def remove(self, who: str, name: str) -> None:
        """Serve it no more; returns when no gateway does. Repeated, it says NotFound after waiting.

        Raises NotFound, or Conflict for what factory.toml declares or a contract was sold on.
        """
        with self._changes.store.read() as transaction:
            found = transaction.state.deployments().get(name)
        if found is None:
            self._changes.wait_current()
            raise NotFound(f"deployment {name!r}")
        _refuse_declared(found)
        with self._changes.change(who) as change:
            _refuse_sold(change.state, name)
            drop_deployment(change, name)
        self._changes.wait_in_force(change.version)
        self._changes.secrets.forget_upstream_key(name)

    def _private(self, order: Order) -> Model | None:
        """The model of an order whose weights lie in the vault."""
        if not (order.model or "").startswith(ASSET) or not order.engine.is_ours:
            return None
        if order.engine is not EngineKind.LLAMA_CPP:
            raise BadInput("engine", "only llama.cpp is handed weights in memory")
        return self._vetted(str(order.model).removeprefix(ASSET))

    def _add(self, who: str, order: Order, place: Place, private: Model | None) -> Deployment:
        permitted: dict[str, str] = {}
        with self._changes.change(who) as change:
            there = change.state.deployments()
            _refuse_taken(there.get(order.name), order.name)
            refuse_beyond(self._most, len(there), "deployments")
            deployment = _deployment(change, order, place, private)
            if order.permit_endpoint:
                permitted = permit_endpoint(change, deployment)
            put_deployment(change, deployment)
            refuse_private_literal(change, deployment)
        self._folder.write(permitted, remove_others=False)
        return deployment

    def _stands(self, name: str) -> bool:
        with self._changes.store.read() as transaction:
            return name in transaction.state.deployments()

    def _place(self, order: Order) -> Place:
        if order.engine.is_ours:
            return self._site
        if order.jurisdiction is None:
            raise BadInput("jurisdiction", "say where the server stands (ZZ for unknown)")
        return checked_place(f"upstream-{order.name}", order.jurisdiction, order.operator)


def put_deployment(change: Change, deployment: Deployment) -> None:
    """Write a deployment and book it."""
    change.state.put_deployment(deployment)
    change.book(
        "deployment.add",
        deployment.name,
        engine=deployment.engine.value,
        model=deployment.model,
        upstream_model=deployment.upstream_model,
        supports=[feature.value for feature in deployment.supports],
        place=deployment.place.id,
        stands=deployment.place.stands,
        operated=deployment.place.operated,
        declared=deployment.declared,
    )


def drop_deployment(change: Change, name: str) -> None:
    """Take a deployment, its replicas and contracts out and book it. Raises NotFound."""
    if name not in change.state.deployments():
        raise NotFound(f"deployment {name!r}")
    for contract in contracts_on(change.state, name):
        end_contract(change, contract)
    for replica in change.state.replicas().values():
        if replica.deployment == name:
            change.state.remove_replica(replica.id)
    retire(change, f"deployment {name} is removed", deployment=name)
    change.state.remove_profile(name)
    change.state.remove_deployment(name)
    change.book("deployment.remove", name)


def refuse_private_literal(change: Change, deployment: Deployment) -> None:
    """Say at once what every request would be told: a private address takes a rule that names it.

    Names are judged when they are resolved, at the door. Raises Denied.
    """
    endpoint = url_endpoint(deployment.url) if deployment.url else None
    if endpoint is None or not _is_private_literal(endpoint[0]):
        return
    verdict = Residency(build_snapshot(change.state, "")).decide_connect(*endpoint, private=True)
    if not verdict.allowed:
        remedy = f"{verdict.remedy}, or repeat with --permit-endpoint"
        raise Denied(f"a connection to {endpoint[0]}:{endpoint[1]}", verdict.rules, remedy)


def _deployment(change: Change, order: Order, place: Place, private: Model | None) -> Deployment:
    local = order.engine.is_ours
    if private is not None:
        model = asset_model(change, private)
    elif local:
        model = local_model(change, order.model or order.name)
    else:
        _check_url(order.url)
        if not order.upstream_model or not order.upstream_model.isprintable():
            raise BadInput("upstream-model", "say what the server calls the model")
        model = upstream_model(change, order.model or order.name)
    return Deployment(
        name=order.name,
        engine=order.engine,
        model=model.id,
        place=place,
        slots=order.slots,
        context=order.context,
        threads=order.threads,
        replicas=order.replicas if local else 1,
        url=None if local else order.url,
        upstream_model=None if local else order.upstream_model,
        supports=() if local else order.supports,
    )


def _check_sizes(order: Order) -> None:
    if not is_name(order.name):
        raise BadInput("name", f"{order.name!r}: use a-z, 0-9, '.', '_' and '-', at most 63")
    for field, value, least, most in (
        ("slots", order.slots, 1, MAX_SLOTS),
        ("context", order.context, MIN_CONTEXT, MAX_CONTEXT),
        ("threads", order.threads, 1, MAX_THREADS),
        ("replicas", order.replicas, 1, MAX_REPLICAS),
    ):
        _check_size(field, value, least, most)
    token = order.token
    if token is not None and not (
        token.isascii() and token.isprintable() and 0 < len(token) <= MAX_TOKEN_CHARS
    ):
        raise BadInput("key-file", "it holds no bearer token: one line of printable ASCII")


def _check_size(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise BadInput(field, f"{value} is not between {least} and {most}")


def _check_url(url: str | None) -> None:
    if url is None or len(url) > MAX_URL_CHARS or not (url.isascii() and url.isprintable()):
        raise BadInput("url", "give the server's base URL, as in https://host:8000/v1")
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment or " " in url:
        raise BadInput("url", "no user, password, query or fragment may stand in it")
    if url_endpoint(url) is None:
        raise BadInput("url", "give http:// or https:// with a host")


def _is_private_literal(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return not ip_address(host).is_global
    except ValueError:
        return False


def _refuse_taken(found: Deployment | None, name: str) -> None:
    if found is not None:
        where = f"; {FACTORY_FILE} declares it" if found.declared else ""
        raise Conflict(f"deployment {name!r}", f"it exists{where}")


def _refuse_sold(state: StateTables, name: str) -> None:
    sold = contracts_on(state, name)
    if sold:
        whose = ", ".join(f"{one.tenant}'s ({one.id})" for one in sold)
        why = f"contracts are in force on it: end {whose} first (inland contract remove)"
        raise Conflict(f"deployment {name!r}", why)


def _refuse_declared(found: Deployment) -> None:
    if found.declared:
        why = f"{FACTORY_FILE} declares it: take it out there and start the factory again"
        raise Conflict(f"deployment {found.name!r}", why)
