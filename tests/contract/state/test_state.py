"""`ports.state.StateTables`, one behaviour for every store: all that was put is there, or none."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.adapters.sql.database import Database, sqlite_url
from inland.domain.labels import Classification, Label, Purpose
from inland.domain.places import Known, Place
from inland.domain.plant import (
    Deployment,
    EngineKind,
    Key,
    Model,
    Replica,
    ReplicaState,
    Role,
    Tenant,
)
from inland.ports.store import Store
from tests import postgresql


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request, tmp_path_factory) -> Iterator[Store]:
    with ExitStack() as ends:
        url = sqlite_url(tmp_path_factory.mktemp("db") / "a.db")
        if request.param == "postgresql":
            url = ends.enter_context(postgresql.server()).database()
        made = Database(url, synchronous="OFF")
        ends.callback(made.close)
        yield made


_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
_NAMES = st.from_regex(r"[a-z0-9]{1,6}", fullmatch=True)
_LABELS = st.builds(
    Label,
    _NAMES,
    st.lists(st.sampled_from(["DE", "EU", "WORLD"]), unique=True).map(tuple),
    st.sampled_from(Classification),
    st.lists(st.sampled_from(Purpose), unique=True).map(tuple),
    st.lists(st.sampled_from(Purpose), unique=True).map(tuple),
    st.none() | st.integers(0, 10**6),
)
_PLACES = st.builds(Place, _NAMES, st.just("DE"), st.just("US"), st.sampled_from(Known))
_OPTIONAL = st.none() | _TEXTS
_BOOLS = st.booleans()
NOUNS = {
    "tenant": st.builds(Tenant, _NAMES, _LABELS, _BOOLS, _BOOLS),
    "key": st.builds(
        Key,
        _NAMES,
        st.none() | _NAMES,
        st.sampled_from(Role),
        _TEXTS,
        st.lists(_NAMES).map(tuple),
        st.none() | st.integers(0, 2**40),
        _BOOLS,
        _BOOLS,
        st.integers(0, 2**40),
        st.none() | _NAMES,
    ),
    "model": st.builds(
        Model, _NAMES, _LABELS, st.lists(_NAMES).map(tuple), _OPTIONAL, _OPTIONAL, _OPTIONAL, _BOOLS
    ),
    "deployment": st.builds(
        Deployment,
        _NAMES,
        st.sampled_from(EngineKind),
        _NAMES,
        _PLACES,
        st.integers(1, 1024),
        st.integers(1, 10**6),
        st.integers(1, 64),
        st.integers(1, 64),
        _OPTIONAL,
        _OPTIONAL,
        _BOOLS,
    ),
    "replica": st.builds(Replica, _NAMES, _NAMES, st.sampled_from(ReplicaState), _TEXTS, _PLACES),
}


@pytest.mark.parametrize("noun", NOUNS)
@given(data=st.data())
def test_what_was_put_reads_back_and_replaces_what_had_its_id(store, noun, data):
    value = data.draw(NOUNS[noun])
    identity = value.name if isinstance(value, Deployment) else value.id
    with store.write() as transaction:
        getattr(transaction.state, f"put_{noun}")(value)
    with store.read() as transaction:
        everything = getattr(transaction.state, f"{noun}s")()
    assert everything[identity] == value
    assert list(everything) == sorted(everything), "one state reads the same way every time"
    if noun in {"tenant", "key"}:
        with store.read() as transaction:
            one = getattr(transaction.state, noun)
            assert one(identity) == value
            assert one(f"{identity}/") is None


def test_a_transaction_that_raises_leaves_nothing(store):
    with store.read() as transaction:
        before = (transaction.state.version(), transaction.state.tenants())
    with pytest.raises(ValueError, match="no"):
        _fail_half_way(store)
    with store.read() as transaction:
        assert (transaction.state.version(), transaction.state.tenants()) == before


def _fail_half_way(store):
    with store.write() as transaction:
        transaction.state.put_tenant(Tenant("never", Label("never", ("DE",))))
        transaction.state.raise_version()
        raise ValueError("no")


def test_writing_through_a_read_is_an_error(store):
    with pytest.raises(Exception, match="read"), store.read() as transaction:
        transaction.state.put_tenant(Tenant("never", Label("never", ("DE",))))


def test_a_policy_text_is_kept_for_ever_and_one_is_in_force(store):
    with store.write() as transaction:
        state = transaction.state
        state.set_policy("sha256:1", "one")
        state.set_policy("sha256:2", "two")
        state.set_policy("sha256:1", "one")
    with store.read() as transaction:
        assert transaction.state.current_policy() == ("sha256:1", "one")
        assert transaction.state.policy("sha256:2") == "two"
        assert transaction.state.policy("sha256:3") is None


def test_the_version_rises_by_one_and_changing_policy_keeps_it(store):
    with store.write() as transaction:
        version = transaction.state.raise_version()
        transaction.state.set_policy("sha256:4", "four")
        assert transaction.state.version() == version
        assert transaction.state.raise_version() == version + 1


def test_what_is_removed_is_gone_and_removing_it_again_is_nothing(store):
    place = Place("here", "DE", "DE")
    one = Deployment("gone", EngineKind.LLAMA_CPP, "m", place)
    replica = Replica("gone-0", "gone", ReplicaState.READY, "x", place)
    with store.write() as transaction:
        state = transaction.state
        state.put_deployment(one)
        state.put_replica(replica)
        state.put_replica(replace(replica, state=ReplicaState.FAILED))
        for _ in range(2):
            state.remove_deployment("gone")
            state.remove_replica("gone-0")
        assert "gone" not in state.deployments()
        assert "gone-0" not in state.replicas()
