"""What may be done where, said once more from the promises in words, and asked at random of Cedar.

`oracle` is written from the words, not from the policies' text: it uses nothing of `decide`, and
has the members of EU and EEA by their years of accession.
"""

import random
from dataclasses import dataclass, field

from inland.decide.policy_set import default_files, endpoint_rule
from inland.decide.residency import Residency
from inland.domain.labels import FACTORY, Label, Purpose
from inland.domain.places import Place
from inland.domain.plant import Deployment, EngineKind, Key, Model, Role, Tenant
from inland.domain.snapshot import Snapshot
from tests.unit.decide.plants import snapshot_of

_EU = {
    *("BE", "DE", "FR", "IT", "LU", "NL"),  # 1958
    *("DK", "IE", "GR", "ES", "PT", "AT", "FI", "SE"),  # 1973 to 1995
    *("CY", "CZ", "EE", "HU", "LV", "LT", "MT", "PL", "SK", "SI"),  # 2004
    *("BG", "RO", "HR"),  # 2007 and 2013
}
_EEA = _EU | {"IS", "LI", "NO"}
COUNTRIES = ("DE", "HR", "IE", "NO", "LI", "CH", "GB", "US", "IN", "ZZ")
CODES = (*COUNTRIES, "EU", "EEA", "WORLD")
#: Questions put to one snapshot.
ASKED_OF_ONE = 250


def covers(codes: tuple[str, ...], country: str) -> bool:
    groups = {"WORLD"} | ({"EU"} if country in _EU else set())
    return bool({country, *groups, *({"EEA"} if country in _EEA else ())} & set(codes))


def oracle(
    key: Key, tenant: Tenant | None, action: str, model: Model, place: Place, called: str
) -> bool:
    """Whether the promises allow it."""
    if key.revoked or tenant is None or tenant.suspended:
        return False  # a key ends for good; a suspended tenant is served nothing
    if key.role in {"operator", "auditor"}:
        return False  # they belong to no tenant, and use no models
    if key.models and called not in key.models:
        return False  # a key may be limited to some of its tenant's models
    if model.label.owner != tenant.id and not {"*", tenant.id} & set(model.shared_with):
        return False  # a model is its owner's, and of whom it is shared with
    for label in (tenant.label, model.label):
        if action not in label.purposes:
            return False  # both labels say what for
        if not (covers(label.jurisdictions, place.stands)):
            return False  # both labels cover where the place stands,
        if not (covers(label.jurisdictions, place.operated)):
            return False  # and who operates it
    return True


def may_connect(declared: set[str], named: set[str], endpoint: str, *, private: bool) -> bool:
    """Whether the one door opens: to what a rule names; else to a deployment's public server."""
    return endpoint in named or (endpoint in declared and not private)


def _label(draw: random.Random, owner: str) -> Label:
    codes = tuple(draw.sample(CODES, draw.randint(0, 5)))
    return Label(owner, codes, purposes=tuple(draw.sample(list(Purpose), draw.randint(1, 5))))


def _place(draw: random.Random, name: str) -> Place:
    stands = draw.choice(COUNTRIES)
    return Place(name, stands, draw.choice((stands, stands, draw.choice(COUNTRIES))))


@dataclass
class Drawn:
    """A snapshot, and the endpoints that its policies name."""

    snapshot: Snapshot
    named: set[str]
    declared: set[str]


def drawn(draw: random.Random) -> Drawn:
    """A plant at random under the default policies, with a rule for one endpoint or none."""
    names = [f"t{number}" for number in range(5)]
    tenants = [Tenant(name, _label(draw, name), draw.random() < 0.1) for name in names]
    models = [
        Model(
            f"m{number}",
            _label(draw, draw.choice([*names, FACTORY])),
            tuple(draw.sample([*names, "*"], draw.randint(0, 3))),
            None,
        )
        for number in range(8)
    ]
    deployments = [
        Deployment(
            f"d{number}",
            EngineKind.OPENAI,
            draw.choice(models).id,
            _place(draw, f"p{number}"),
            url=f"https://h{number}.example.org/v1",
            upstream_model="x",
        )
        for number in range(8)
    ]
    called = [one.name for one in deployments]
    keys = [
        Key(
            f"k{number}",
            draw.choice([*names, *names, "gone", None]),
            draw.choice([Role.MEMBER] * 3 + list(Role)),
            "",
            models=tuple(draw.sample(called, draw.choice([0, 0, 4]))),
            revoked=draw.random() < 0.1,
        )
        for number in range(30)
    ]
    files, named = default_files(), set()
    if draw.random() < 0.5:
        files = {**files, "endpoints.cedar": endpoint_rule("h1.example.org", 443)}
        named.add("h1.example.org")
    declared = {f"h{number}.example.org" for number in range(8)}
    return Drawn(snapshot_of(tenants, keys, models, deployments, files), named, declared)


@dataclass
class Agreed:
    """What the comparison came to. `differ`: questions that were answered differently."""

    cases: int = 0
    allowed: int = 0
    differ: list[str] = field(default_factory=list)

    def note(self, question: str, wanted: bool, got: bool) -> None:
        self.cases += 1
        self.allowed += wanted
        if wanted != got:
            self.differ.append(f"{question}: the promises say {wanted}, the policies {got}")


def compare(seed: int, cases: int) -> Agreed:
    """Put `cases` questions to the oracle and to Cedar."""
    draw, agreed = random.Random(seed), Agreed()
    while agreed.cases < cases:
        plant = drawn(draw)
        decider = Residency(plant.snapshot)
        for _ in range(ASKED_OF_ONE):
            if draw.random() < 0.1:
                _connect(draw, plant, decider, agreed)
            else:
                _use(draw, plant.snapshot, decider, agreed)
    return agreed


def _use(draw: random.Random, snapshot: Snapshot, decider: Residency, agreed: Agreed) -> None:
    key = draw.choice(list(snapshot.keys.values()))
    deployment = draw.choice(list(snapshot.deployments.values()))
    tenant = snapshot.tenants.get(key.tenant or "")
    action = draw.choice(list(Purpose))
    place = draw.choice([deployment.place, _place(draw, "asked")])
    model = snapshot.models[deployment.model]
    wanted = oracle(key, tenant, action, model, place, deployment.name)
    got = decider.decide(key.id, action, model.id, place, deployment.name).allowed
    agreed.note(f"{key} {action} {model} {place} {tenant}", wanted, got)


def _connect(draw: random.Random, plant: Drawn, decider: Residency, agreed: Agreed) -> None:
    host = f"h{draw.randrange(10)}.example.org"
    private = draw.random() < 0.5
    wanted = may_connect(plant.declared, plant.named, host, private=private)
    got = decider.decide_connect(host, 443, private=private).allowed
    agreed.note(f"connect {host} private={private}", wanted, got)
