"""Assets are decided as the words say, and a question or a factory with a hole in it is denied."""

import json
from dataclasses import dataclass, replace
from unittest import mock

import cedarpy
import pytest

from inland.decide import asset_use
from inland.decide.asset_use import AssetUse, Question, request_about
from inland.decide.policy_set import default_files, join_files, rule_texts, rules
from inland.decide.residency import Residency
from inland.decide.rulebook import Rulebook
from inland.domain.assets import Action, Asset, AssetKind, AssetState
from inland.domain.labels import FACTORY, Classification, Label, Purpose
from inland.domain.places import Place
from inland.domain.plant import Key, Role, Tenant
from tests.unit.decide.asset_promises import compare, oracle
from tests.unit.decide.plants import snapshot_of

CASES = 4_000
HERE, THERE = Place("here", "DE", "DE"), Place("there", "FR", "FR")
LABEL = Label("acme", ("EU",), purposes=tuple(Purpose))
ASSET = Asset(
    id="a",
    tenant="acme",
    kind=AssetKind.DATASET,
    name="n",
    version=1,
    state=AssetState.LIVE,
    label=LABEL,
    shared_with=("guest",),
    bytes=1,
    digest="",
    parents=(),
    run="",
    created_unix_us=0,
)
KEYS = [
    Key("admin", "acme", Role.TENANT_ADMIN, ""),
    Key("member", "acme", Role.MEMBER, ""),
    Key("guest", "guest", Role.TENANT_ADMIN, ""),
    Key("stranger", "stranger", Role.TENANT_ADMIN, ""),
    Key("operator", None, Role.OPERATOR, ""),
    Key("auditor", None, Role.AUDITOR, ""),
]
TENANTS = [Tenant(name, replace(LABEL, owner=name)) for name in ("acme", "guest", "stranger")]


def decider(files=None, tenants=TENANTS):
    return Residency(snapshot_of(tenants, KEYS, [], [], files))


def test_the_words_of_the_documentation_are_what_is_decided():
    agreed = compare(seed=1, cases=CASES)
    assert not agreed.differ, agreed.differ[:3]
    assert agreed.allowed > CASES // 50, "too few are allowed to show anything"


def _permits():
    text = join_files(default_files())
    effects, texts = rules(text), rule_texts(text)
    return {"a.cedar": "\n".join(texts[i] for i in texts if effects[i].effect == "permit")}


def test_the_permits_alone_decide_the_same():
    agreed = compare(seed=2, cases=CASES // 2, files=_permits())
    assert not agreed.differ, agreed.differ[:3]


def test_the_forbids_alone_hold_whatever_is_permitted_beside_them():
    agreed = compare(seed=3, cases=CASES // 2, files={**default_files(), "z.cedar": ANYTHING})
    assert not agreed.differ, agreed.differ[:3]


@dataclass(frozen=True)
class Scene:
    """All that an answer depends on but the action."""

    key: Key
    owner: Tenant
    asking: Tenant
    asset: Asset
    here: Place
    there: Place | None
    run: str = ""


WIDE = ("DE", "FR", "NO", "CH")


def _scenes():
    """Where all is well, for each who may do something; then with one thing different."""
    wide = Label("acme", WIDE, purposes=tuple(Purpose), storage=WIDE)
    owner = Tenant("acme", wide)
    guest = Tenant("guest", replace(wide, owner="guest"))
    factory = Tenant(FACTORY, Label(FACTORY, ("WORLD",)))
    own, asset = replace(ASSET, label=wide), replace(ASSET, label=wide, shared_with=("*",))
    its = replace(asset, tenant=FACTORY, label=replace(wide, owner=FACTORY))
    places = Place("here", "DE", "FR"), Place("there", "NO", "CH")
    wells = [
        Scene(KEYS[0], owner, owner, own, *places),
        Scene(KEYS[1], owner, owner, own, *places),
        Scene(KEYS[2], owner, guest, asset, *places),
        Scene(KEYS[4], owner, factory, asset, *places),
        Scene(KEYS[5], owner, factory, asset, *places),
        Scene(KEYS[4], factory, factory, its, *places),
        Scene(KEYS[2], factory, guest, its, *places),
    ]
    for well in wells:
        yield "all is well", well
        yield from _otherwise(well)


def _otherwise(well):
    asset, label, key = well.asset, well.asset.label, well.key
    for role in Role:
        yield f"role {role}", replace(well, key=replace(key, role=role))
    yield "revoked", replace(well, key=replace(key, revoked=True))
    yield "limited", replace(well, key=replace(key, models=("d",)))
    yield "named", replace(well, key=replace(key, models=("d", "a")))
    yield "run", replace(well, run="run-1")
    yield "nowhere to", replace(well, there=None)
    yield "not shared", replace(well, asset=replace(asset, shared_with=()))
    for state in AssetState:
        yield f"{state}", replace(well, asset=replace(asset, state=state))
    for kind in AssetKind:
        yield f"{kind}", replace(well, asset=replace(asset, kind=kind))
    labels = [("owner", replace(label, owner="guest"))]
    labels += [(f"{c}", replace(label, classification=c)) for c in Classification]
    labels += [
        (f"not for {p}", replace(label, purposes=tuple(set(Purpose) - {p}))) for p in Purpose
    ]
    yield from ((name, replace(well, asset=replace(asset, label=one))) for name, one in labels)
    for out in ("suspended", "withdrawn"):
        yield f"owner {out}", _with_owner(well, replace(well.owner, **{out: True}))
        yield f"asking {out}", _with_asking(well, replace(well.asking, **{out: True}))
    for country in WIDE:
        for field in ("jurisdictions", "storage"):
            less = {field: tuple(code for code in WIDE if code != country)}
            held = replace(asset, label=replace(label, **less))
            yield f"asset {less}", replace(well, asset=held)
            owner = replace(well.owner, label=replace(well.owner.label, **less))
            yield f"owner {less}", _with_owner(well, owner)
            asking = replace(well.asking, label=replace(well.asking.label, **less))
            yield f"asking {less}", _with_asking(well, asking)


def _with_owner(scene, owner):
    """The factory itself is always as it is."""
    if owner.id == FACTORY:
        return scene
    asks = scene.asking.id == owner.id
    return replace(scene, owner=owner, asking=owner if asks else scene.asking)


def _with_asking(scene, asking):
    if asking.id == FACTORY:
        return scene
    return (
        _with_owner(scene, asking) if scene.owner.id == asking.id else replace(scene, asking=asking)
    )


ANYTHING = '@id("anything") permit (principal, action, resource is Asset);'
SETS = {
    "as they are": default_files(),
    "the permits alone": _permits(),
    "the forbids beside a permit of everything": {**default_files(), "z.cedar": ANYTHING},
}


@pytest.mark.parametrize("files", SETS.values(), ids=SETS)
def test_each_thing_that_is_different_alone_is_decided_as_the_words_say(files):
    differ = []
    for name, scene in _scenes():
        known = {one.id: one for one in (scene.owner, scene.asking)}
        tenants = [one for one in known.values() if one.id != FACTORY]
        decides = Residency(snapshot_of(tenants, [scene.key], [], [], files))
        for action in Action:
            asked = (action, scene.asset, scene.here, scene.there, scene.run)
            got = decides.explain_asset(scene.key.id, *asked).allowed
            if got != oracle(scene.key, known, *asked):
                differ.append((scene.key.id, name, action.value, got))
    assert differ == []


USES = {Action.SERVE, Action.TRAIN, Action.EVALUATE, Action.RETRIEVE, Action.READ}


@pytest.mark.parametrize(
    ("key", "may"),
    [
        ("admin", set(Action)),
        ("member", USES | {Action.EXPORT, Action.STORE, Action.TIGHTEN}),
        ("guest", USES | {Action.EXPORT}),
        ("stranger", set()),
        ("operator", set(Action) - USES - {Action.LOOSEN}),
        ("auditor", set()),
    ],
)
def test_who_may_do_what_with_an_asset_that_everything_else_allows(key, may):
    decides = decider()
    allowed = {a for a in Action if decides.decide_asset(key, a, ASSET, HERE, THERE).allowed}
    assert allowed == may
    seen = decides.decide_asset(key, Action.SERVE, ASSET, HERE).visible
    assert seen == (key not in {"stranger", "auditor"})


@pytest.mark.parametrize(
    ("action", "changes", "to", "rule"),
    [
        (Action.TRAIN, {"label": replace(LABEL, purposes=(Purpose.SERVE,))}, None, "asset.purpose"),
        (Action.TRAIN, {"kind": AssetKind.SUITE}, None, "asset.suite"),
        (Action.TRAIN, {"label": replace(LABEL, jurisdictions=("FR",))}, None, "asset.border"),
        (Action.STORE, {"label": replace(LABEL, storage=("FR",))}, None, "asset.storage"),
        (Action.MOVE, {}, None, "asset.destination"),
        (Action.MOVE, {}, Place("far", "FR", "US"), "asset.destination"),
        (Action.EXPORT, {"label": replace(LABEL, jurisdictions=("DE",), storage=("EU",))}, THERE,
         "asset.destination.use"),
        (Action.EXPORT, {"label": replace(LABEL, classification=Classification.SECRET)}, THERE,
         "asset.secret"),
        (Action.READ, {"state": AssetState.ERASING}, None, "asset.state"),
        (Action.SERVE, {"label": replace(LABEL, owner="guest")}, None, "asset.label-owner"),
    ],
)  # fmt: skip
def test_a_denial_has_the_name_of_what_was_missing(action, changes, to, rule):
    verdict = decider().decide_asset("admin", action, replace(ASSET, **changes), HERE, to)
    assert (verdict.allowed, verdict.rules) == (False, (rule,))
    assert "label of asset a" in verdict.remedy


@pytest.mark.parametrize("withdrawn", [False, True])
def test_nothing_is_done_for_a_tenant_that_is_out_nor_with_its_assets_but_erased(withdrawn):
    out = replace(TENANTS[0], suspended=not withdrawn, withdrawn=withdrawn)
    decides = decider(tenants=[out, *TENANTS[1:]])
    for action in Action:
        for key in ("admin", "guest", "operator"):
            verdict = decides.decide_asset(key, action, ASSET, HERE, THERE)
            assert verdict.allowed == (key == "operator" and action is Action.ERASE)
    word = "withdrawn" if withdrawn else "suspended"
    named = decides.decide_asset("guest", Action.SERVE, ASSET, HERE).rules
    assert named == (f"asset.owner-{word}",)


def test_a_run_uses_and_stores_and_leaves_the_rest_to_people():
    decides = decider()
    allowed = {
        a for a in Action if decides.decide_asset("admin", a, ASSET, HERE, THERE, "run-1").allowed
    }
    assert allowed == USES | {Action.STORE}


def test_a_key_that_names_models_may_use_the_assets_it_names():
    limited = replace(KEYS[1], models=("d", "a"))
    for key, may in ((limited, True), (replace(limited, models=("d",)), False)):
        decides = Residency(snapshot_of(TENANTS, [key], [], []))
        assert decides.decide_asset("member", Action.TRAIN, ASSET, HERE).allowed == may


def test_the_factory_owns_what_is_nobody_elses_and_its_operator_may_loosen_that():
    own = replace(ASSET, tenant=FACTORY, label=replace(LABEL, owner=FACTORY), shared_with=("*",))
    decides = decider()
    assert decides.decide_asset("operator", Action.LOOSEN, own, HERE).allowed
    assert decides.decide_asset("member", Action.TRAIN, own, HERE).allowed
    assert not decides.decide_asset("admin", Action.LOOSEN, own, HERE).allowed


def test_a_place_and_a_destination_that_contradict_each_other_are_denied():
    there = replace(HERE, stands="FR")
    assert not decider().decide_asset("admin", Action.EXPORT, ASSET, HERE, there).allowed


def test_a_foreign_asset_costs_no_decision_whose_time_would_tell_of_it():
    with mock.patch.object(cedarpy, "is_authorized", side_effect=AssertionError):
        verdict = decider().decide_asset("stranger", Action.SERVE, ASSET, HERE)
    assert (verdict.allowed, verdict.visible, verdict.rules) == (False, False, ())


def test_a_question_is_asked_once_in_a_snapshot_and_again_of_another_label():
    decides = decider()
    asks = cedarpy.is_authorized
    with mock.patch.object(cedarpy, "is_authorized", side_effect=asks) as asked:
        for _ in range(3):
            assert decides.decide_asset("admin", Action.TRAIN, ASSET, HERE).allowed
        held = replace(ASSET, label=replace(LABEL, jurisdictions=("FR",)))
        assert not decides.decide_asset("admin", Action.TRAIN, held, HERE).allowed
    assert asked.call_count == 2


def _without_assets():
    return {name: text for name, text in default_files().items() if name != "assets.cedar"}


@pytest.mark.parametrize("extra", ["", '@id("any") permit (principal, action, resource);'])
def test_a_set_from_before_there_were_assets_permits_nothing_with_them_and_says_why(extra):
    files = {**_without_assets(), "z.cedar": extra} if extra else _without_assets()
    decides = decider(files)
    for action in Action:
        verdict = decides.decide_asset("admin", action, ASSET, HERE, THERE)
        assert not verdict.allowed
        assert "add assets.cedar" in verdict.remedy


def test_a_permit_that_does_not_say_that_it_is_about_assets_does_not_count_for_one():
    say = '@id("{id}") permit (principal, action == Action::"train", {what});'
    one = say.format(id="one", what='resource == Asset::"b"')
    files = {"a.cedar": one + say.format(id="any", what="resource")}
    verdict = decider(files).decide_asset("admin", Action.TRAIN, ASSET, HERE)
    assert not verdict.allowed
    assert "any must say that it is about assets" in verdict.remedy
    other = decider(files).decide_asset("admin", Action.TRAIN, replace(ASSET, id="b"), HERE)
    assert (other.allowed, other.rules) == (True, ("any", "one"))


def test_a_question_about_what_may_not_be_known_is_explained_to_those_who_may():
    verdict = decider().explain_asset("stranger", Action.TRAIN, ASSET, HERE)
    assert (verdict.visible, verdict.rules) == (False, ("asset.owned-or-shared",))
    assert decider().explain_asset("acme", Action.TRAIN, ASSET, HERE).allowed, "as a tenant"


# ------------------------------------------------------------------------- holes


SNAPSHOT = snapshot_of(TENANTS, KEYS, [], [])


def _handed(action):
    """Entities and question as Cedar is handed them where the answer is yes."""
    question = Question(action, ASSET, HERE, THERE)
    use = AssetUse(SNAPSHOT, Rulebook(SNAPSHOT.policy_text))
    key = SNAPSHOT.keys["admin"]
    assert use.decide("admin", question).allowed
    return use._entities(key, question), request_about(key, question)


def _holes(action):
    document, _ = _handed(action)
    for index, entity in enumerate(document):
        rest = [*document[:index], *document[index + 1 :]]
        uid = "::".join(entity["uid"].values())
        yield f"{action} without {uid}", rest
        for name in entity["attrs"]:
            attrs = {key: value for key, value in entity["attrs"].items() if key != name}
            yield f"{action} without {uid}.{name}", [*rest, {**entity, "attrs": attrs}]


def _questions(action):
    _, request = _handed(action)
    for name in request:
        yield f"{action} without {name}", {k: v for k, v in request.items() if k != name}
    for name in request["context"]:
        if name in _read(action):
            context = {k: v for k, v in request["context"].items() if k != name}
            yield f"{action} without context.{name}", {**request, "context": context}


def _read(action):
    """What the rules read of the context: a place is what an erasure has nothing to do with."""
    where = {"destination"} if action in {Action.MOVE, Action.EXPORT} else set()
    where |= {"place"} if action in USES | {Action.EXPORT, Action.STORE} else set()
    return where | {"run"} | ({"purpose"} if action in USES | {Action.EXPORT} else set())


HOLES = [(name, action, document) for action in Action for name, document in _holes(action)]
QUESTIONS = [(name, action, request) for action in Action for name, request in _questions(action)]


@pytest.mark.parametrize(("name", "action", "document"), HOLES, ids=[one[0] for one in HOLES])
def test_a_factory_with_a_hole_in_it_denies(name, action, document):
    with mock.patch.object(AssetUse, "_entities", return_value=document):
        assert not decider().decide_asset("admin", action, ASSET, HERE, THERE).allowed


@pytest.mark.parametrize(("name", "action", "request_"), QUESTIONS, ids=[q[0] for q in QUESTIONS])
def test_a_question_with_a_hole_in_it_denies(name, action, request_):
    with mock.patch.object(asset_use, "request_about", return_value=request_):
        assert not decider().decide_asset("admin", action, ASSET, HERE, THERE).allowed


def _unread(document, permits, request):
    """Attributes that no permit reads for this question: with each away it still says yes."""
    return cedarpy.is_authorized(request, permits, json.dumps(document)).allowed


@pytest.mark.parametrize("action", list(Action))
def test_without_schema_and_forbids_what_the_permit_reads_must_be_there(action):
    """Cedar skips a forbid that errors: each permit must by itself need all that it is to hold."""
    permits = _permits()["a.cedar"]
    _, request = _handed(action)
    needed = {name for name, holed in _holes(action) if not _unread(holed, permits, request)}
    must = {"Key::admin", "Tenant::acme", "Asset::a", "Key::admin.role", "Tenant::acme.suspended"}
    must |= {"Key::admin.limited", "Asset::a.owner", "Asset::a.state", "Tenant::acme.name"}
    if action in USES | {Action.EXPORT}:
        must |= {"Asset::a.purposes", "Asset::a.jurisdictions", "Tenant::acme.jurisdictions"}
        must |= {"Place::here", "Place::here.stands_in", "Place::here.operated_in"}
    if action in {Action.EXPORT, Action.MOVE, Action.STORE}:
        must |= {"Asset::a.stored", "Tenant::acme.stored"}
    if action in {Action.EXPORT, Action.MOVE}:
        must |= {"Place::there", "Place::there.stands_in", "Place::there.operated_in"}
    if action is Action.EXPORT:
        must |= {"Asset::a.classification"}
    assert {f"{action} without {one}" for one in must} <= needed
