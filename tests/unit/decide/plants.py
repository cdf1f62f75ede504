"""Small snapshots to decide on, written out or drawn at random."""

from hypothesis import strategies as st

from inland.decide.policy_set import default_files, join_files, policy_digest
from inland.domain.labels import FACTORY, Label, Purpose
from inland.domain.places import Place
from inland.domain.plant import Deployment, EngineKind, Key, Model, Role, Tenant
from inland.domain.snapshot import Snapshot

CODES = ("DE", "FR", "NO", "US", "ZZ", "EU", "EEA", "WORLD")
COUNTRIES = ("DE", "FR", "NO", "US", "ZZ")
TENANTS = ("acme", "demo")


def snapshot_of(
    tenants: list[Tenant],
    keys: list[Key],
    models: list[Model],
    deployments: list[Deployment],
    files: dict[str, str] | None = None,
) -> Snapshot:
    """A snapshot of these under the default policies, or others."""
    text = join_files(default_files() if files is None else files)
    return Snapshot(
        version=1,
        factory="test",
        policy_digest=policy_digest(text),
        policy_text=text,
        tenants={one.id: one for one in tenants},
        keys={one.id: one for one in keys},
        models={one.id: one for one in models},
        deployments={one.name: one for one in deployments},
        replicas={},
    )


def allowed_snapshot(files: dict[str, str] | None = None) -> Snapshot:
    """Where key `k` of tenant acme may be served by deployment `d` of model `m` in Germany."""
    label = Label("acme", ("DE",))
    return snapshot_of(
        [Tenant("acme", label)],
        [Key("k", "acme", Role.MEMBER, "", models=("d",))],
        [Model("m", Label(FACTORY, ("EU",)), ("acme",), "sha256:00", "m.gguf")],
        [deployment(Place("here", "DE", "DE"))],
        files,
    )


def deployment(place: Place, name: str = "d", model: str = "m") -> Deployment:
    """A deployment at a place."""
    return Deployment(name, EngineKind.LLAMA_CPP, model, place)


purposes = st.lists(st.sampled_from(list(Purpose)), max_size=3, unique=True).map(tuple)
jurisdictions = st.lists(st.sampled_from(CODES), max_size=3, unique=True).map(tuple)
places = st.builds(Place, st.just("here"), st.sampled_from(COUNTRIES), st.sampled_from(COUNTRIES))


@st.composite
def plants(draw):
    """Two tenants, a key, a model and its deployment, everything about them drawn."""
    tenants = [
        Tenant(name, Label(name, draw(jurisdictions), purposes=draw(purposes)), draw(st.booleans()))
        for name in TENANTS
    ]
    key = Key(
        "k",
        draw(st.sampled_from([*TENANTS, "gone", None])),
        draw(st.sampled_from(list(Role))),
        "",
        models=draw(st.sampled_from([(), ("d",), ("other",)])),
        revoked=draw(st.booleans()),
    )
    owner = draw(st.sampled_from([*TENANTS, FACTORY]))
    label = Label(owner, draw(jurisdictions), purposes=draw(purposes))
    shared = draw(st.sampled_from([(), ("acme",), ("demo",), ("*",), ("acme", "demo")]))
    model = Model("m", label, shared, None)
    return snapshot_of(tenants, [key], [model], [deployment(draw(places))])
