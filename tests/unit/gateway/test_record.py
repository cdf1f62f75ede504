"""A filled template is, byte for byte, the canonical record."""

from hypothesis import given
from hypothesis import strategies as st

from inland.gateway.record import Facts, Template, fixed_fields
from inland.ledger import canonical
from inland.ledger.records import interrupted
from tests.unit.gateway.world import KEYS, snapshot

_HEX = st.binary(min_size=16, max_size=32).map(bytes.hex)
_COUNT = st.integers(0, (1 << 53) - 1)
_FACTS = st.builds(
    Facts,
    id=_HEX,
    time=_COUNT,
    salt=_HEX,
    input=_HEX,
    outcome=st.sampled_from(["complete", "hung-up", "failed"]),
    billed=st.booleans(),
    output=st.lists(_HEX, max_size=4),
    prompt_tokens=_COUNT,
    completion_tokens=_COUNT,
    cached_tokens=_COUNT,
    wasted_tokens_estimated=_COUNT,
    counted=st.sampled_from(["engine", "estimated"]),
    ttft_us=st.none() | _COUNT,
    duration_us=_COUNT,
    status=_COUNT,
    stalled_us=_COUNT,
    guard=st.none() | st.lists(st.dictionaries(st.sampled_from(["rule", "on"]), _HEX), max_size=2),
)


def fixed(rules: list[str]) -> dict:
    plant = snapshot()
    decided = {"snapshot": 1, "policy": "sha256:0", "decided_by": rules, "writer": "w"}
    return fixed_fields(
        plant.keys[KEYS["demo"].id],
        plant.tenants["demo"],
        plant.deployments["smol"],
        plant.models["smollm2"],
        plant.replicas["r0"],
        decided,
        "chat.completions",
        stream=True,
    )


@given(facts=_FACTS, rules=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3))
def test_a_filled_template_is_the_canonical_record(facts: Facts, rules: list[str]) -> None:
    template = Template(fixed(rules))
    assert template.fill(facts) == canonical.encode(facts.record(template.fixed))


def test_an_opening_becomes_a_record_with_every_field_of_one() -> None:
    template = Template(fixed(["50% %d %%"]))
    opening = canonical.decode(template.opening(Facts("id", 1, "ab"), "00" * 16))
    ended = interrupted(opening, salt=b"s" * 16)
    facts = Facts("id", 1, "ab", "00", "complete", billed=True)
    assert set(ended) == set(facts.record(template.fixed))
