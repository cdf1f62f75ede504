"""What goes over the supervisor's socket is checked, and an older form is still spoken."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.adapters.processes.protocol import spec_from, spec_to
from inland.domain.errors import BadInput
from inland.ports.runner import EngineSpec

NUMBERS = st.lists(st.integers(0, 64)).map(tuple)
NAMES = st.text(min_size=1).filter(lambda text: "/" not in text)
SPECS = st.builds(EngineSpec, NAMES, cores=NUMBERS, accelerators=NUMBERS)


@given(SPECS)
def test_an_engine_is_told_as_it_is(spec: EngineSpec) -> None:
    assert spec_from(json.loads(json.dumps(spec_to(spec)))) == spec


def test_an_engine_of_the_first_kind_is_told_in_the_first_form() -> None:
    told = spec_to(EngineSpec("r", "m", "/m.gguf", "/e.sock", 1, 128, 1, (1,)))
    assert not {"engine", "accelerators"} & told.keys()


@pytest.mark.parametrize("wrong", [{"accelerators": [-1]}, {"cores": "1"}, {"engine": 1}])
def test_what_is_no_engine_is_refused_by_its_field(wrong: dict[str, object]) -> None:
    good = spec_to(EngineSpec("r", "m", "/m.gguf", "/e.sock", 1, 128, 1))
    with pytest.raises(BadInput, match=next(iter(wrong))):
        spec_from(good | wrong)
