"""What may be done with assets, said once more from docs/policies.md, and asked at random of Cedar.

`oracle` is written from the words, not from the policies' text: it uses nothing of `decide` or of
the label algebra.
"""

import random
from dataclasses import replace

from inland.decide.policy_set import default_files
from inland.decide.residency import Residency
from inland.domain.assets import Action, Asset, AssetKind, AssetState
from inland.domain.labels import FACTORY, Classification, Label, Purpose
from inland.domain.places import Place
from inland.domain.plant import Key, Role, Tenant
from tests.unit.decide.plants import snapshot_of
from tests.unit.decide.promises import CODES, COUNTRIES, Agreed, covers

#: Questions put to one snapshot.
ASKED_OF_ONE = 250
_NAMES = ("t0", "t1", "t2")
#: What may be done with an asset that is not live.
_UNFINISHED = {"uploading": {"store", "erase"}, "erasing": {"erase"}, "erased": set[str]()}


def _covered(place: Place, *lists: tuple[str, ...]) -> bool:
    """Whether each list covers both where the place stands and who operates it."""
    return all(covers(codes, place.stands) and covers(codes, place.operated) for codes in lists)


def oracle(
    key: Key,
    tenants: dict[str, Tenant],
    action: str,
    asset: Asset,
    place: Place,
    destination: Place | None,
    run: str,
) -> bool:
    """Whether the words allow it."""
    label, owner = asset.label, tenants.get(asset.tenant)
    asking = tenants.get(key.tenant or FACTORY)
    if owner is None or asking is None:
        return False
    operates = key.role == "operator" and key.tenant is None
    belongs = key.role in {"tenant-admin", "member"} and key.tenant is not None
    owns = belongs and asking.id == owner.id
    keeps, administers = owns or operates, (owns and key.role == "tenant-admin") or operates
    may_use = belongs and (owns or bool({"*", asking.id} & set(asset.shared_with)))
    stored = [o.jurisdictions if o.storage is None else o.storage for o in (label, owner.label)]
    processed = [label.jurisdictions, owner.label.jurisdictions]
    may_open = _covered(place, *processed, asking.label.jurisdictions)
    may_arrive = destination is not None and _covered(destination, *stored)
    may_leave = destination is not None and _covered(destination, *processed) and may_arrive
    words: dict[str, bool] = {
        **{use.value: may_use and use in label.purposes and may_open for use in Purpose},
        "read": may_use and "retrieve" in label.purposes and may_open,
        "store": keeps and _covered(place, *stored),
        "move": administers and may_arrive,
        "share": administers,
        "tighten": keeps,
        "loosen": administers and asking.id == owner.id,
        "erase": administers,
    }
    words["export"] = (may_use or operates) and "export" in label.purposes and may_open
    words["export"] &= may_leave and label.classification != "secret"
    by_run = {"serve", "train", "evaluate", "retrieve", "read", "store"}
    judges = asset.kind == "suite" and action in {"serve", "train", "retrieve"}
    is_out = asking.suspended or asking.withdrawn
    owner_is_out = (owner.suspended or owner.withdrawn) and action != "erase"
    never = key.revoked or is_out or owner_is_out or judges or label.owner != asset.tenant
    never |= bool(key.models) and asset.id not in key.models
    never |= action not in _UNFINISHED.get(asset.state, {action})
    never |= bool(run) and action not in by_run
    return words[action] and not never


def _codes(draw: random.Random) -> tuple[str, ...]:
    return (*draw.sample(CODES, draw.randint(0, 5)), *draw.choice(((), ("EU",), ("WORLD",))))


def _label(draw: random.Random, owner: str) -> Label:
    return Label(
        owner,
        _codes(draw),
        draw.choice(list(Classification)),
        tuple(draw.sample(list(Purpose), draw.randint(1, 5))),
        storage=draw.choice((None, _codes(draw))),
    )


def _place(draw: random.Random, name: str) -> Place:
    stands = draw.choice(COUNTRIES)
    return Place(name, stands, draw.choice((stands, stands, draw.choice(COUNTRIES))))


def _asset(draw: random.Random, number: int) -> Asset:
    tenant = draw.choice((*_NAMES, *_NAMES, *_NAMES, FACTORY, "gone"))
    owner = tenant if draw.random() < 0.97 else draw.choice(_NAMES)
    return Asset(
        id=f"a{number}",
        tenant=tenant,
        kind=draw.choice(list(AssetKind)),
        name="n",
        version=1,
        state=draw.choice([AssetState.LIVE] * 6 + list(AssetState)),
        label=_label(draw, owner),
        shared_with=tuple(draw.sample([*_NAMES, "*"], draw.choice((0, 0, 1, 2)))),
        bytes=1,
        digest="",
        parents=(),
        run="",
        created_unix_us=0,
    )


def _key(draw: random.Random, number: int) -> Key:
    role = draw.choice([Role.TENANT_ADMIN] * 2 + [Role.MEMBER] * 2 + list(Role))
    tenant = draw.choice((*_NAMES, *_NAMES, *_NAMES, "gone"))
    of_none = (role in {Role.OPERATOR, Role.AUDITOR}) != (draw.random() < 0.03)
    names = draw.choice([(), (), (), ("a0", "a1", "a2", "a3")])
    revoked = draw.random() < 0.05
    return Key(f"k{number}", None if of_none else tenant, role, "", models=names, revoked=revoked)


def compare(seed: int, cases: int, files: dict[str, str] | None = None) -> Agreed:
    """Put `cases` questions to the oracle and to Cedar, under the default policies or `files`."""
    draw, agreed = random.Random(seed), Agreed()
    while agreed.cases < cases:
        tenants = [Tenant(name, _label(draw, name), draw.random() < 0.08) for name in _NAMES]
        tenants = [replace(one, withdrawn=draw.random() < 0.08) for one in tenants]
        keys = [_key(draw, number) for number in range(20)]
        snapshot = snapshot_of(tenants, keys, [], [], files or default_files())
        decider = Residency(snapshot)
        factory = Tenant(FACTORY, Label(FACTORY, ("WORLD",)))
        known = {one.id: one for one in (*tenants, factory)}
        assets = [_asset(draw, number) for number in range(10)]
        for _ in range(ASKED_OF_ONE):
            key, asset = draw.choice(keys), draw.choice(assets)
            action, run = draw.choice(list(Action)), draw.choice(("", "", "run-1"))
            to = draw.choice((None, _place(draw, "there"), _place(draw, "there")))
            here = _place(draw, "here")
            wanted = oracle(key, known, action, asset, here, to, run)
            got = decider.decide_asset(key.id, action, asset, here, to, run)
            if not got.visible:  # the rules were not asked, and must say the same
                got = decider.explain_asset(key.id, action, asset, here, to, run)
            agreed.note(f"{key} {action} {asset} {here} {to} {run!r} {known}", wanted, got.allowed)
    return agreed
