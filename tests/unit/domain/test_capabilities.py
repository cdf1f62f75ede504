"""What a deployment can be asked: engine and template must both have it; unknown is no yes."""

import pytest

from inland.domain.capabilities import (
    MEANING,
    OF_ENGINE,
    OF_TEMPLATE,
    OF_UPSTREAM,
    Known,
    known,
    table,
)
from inland.domain.places import Place
from inland.domain.plant import Deployment, EngineKind, Feature, Replica, ReplicaState

HERE = Place("here", "DE", "DE")
LOCAL = Deployment("smol", EngineKind.LLAMA_CPP, "smollm2", HERE)


def replica(template: tuple[Feature, ...] | None, deployment: str = "smol") -> Replica:
    return Replica("r", deployment, ReplicaState.READY, "/e.sock", HERE, template=template)


def test_every_feature_has_a_row_and_a_meaning() -> None:
    assert [row.feature for row in table(LOCAL, [])] == list(Feature)
    assert set(MEANING) == set(Feature)
    assert set(OF_ENGINE) == set(EngineKind)


def test_what_the_template_decides_is_unknown_until_one_was_seen() -> None:
    before = known(LOCAL, [replica(None)])
    assert {feature for feature, is_ in before.items() if is_ is Known.UNKNOWN} == OF_TEMPLATE
    seen = known(LOCAL, [replica((Feature.SYSTEM,)), replica(None)])
    assert Known.UNKNOWN not in seen.values()
    assert seen[Feature.SYSTEM] is Known.YES
    assert seen[Feature.TOOLS] is Known.NO


def test_replicas_that_differ_have_what_all_of_them_have() -> None:
    both = [replica((Feature.SYSTEM, Feature.TOOLS)), replica((Feature.SYSTEM,))]
    assert known(LOCAL, both)[Feature.TOOLS] is Known.NO
    assert known(LOCAL, both)[Feature.SYSTEM] is Known.YES


def test_another_deployments_replica_says_nothing() -> None:
    assert known(LOCAL, [replica(tuple(Feature), "other")])[Feature.TOOLS] is Known.UNKNOWN


@pytest.mark.parametrize("supports", [(), OF_UPSTREAM, tuple(Feature)])
def test_of_a_server_elsewhere_what_is_declared_holds(supports: tuple[Feature, ...]) -> None:
    there = Deployment("big", EngineKind.OPENAI, "big", HERE, supports=supports)
    said = known(there, [replica(tuple(Feature), "big")])
    assert {feature for feature, is_ in said.items() if is_ is Known.YES} == set(supports)
    assert Known.UNKNOWN not in said.values()
