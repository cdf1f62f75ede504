"""What an adapter's own file says of how it was made is what was written, or refused."""

import json

import pytest

from inland.adapters.training import configuration
from inland.domain.errors import BadInput


def test_rank_and_alpha_are_read_where_they_are_told():
    told = json.dumps({"r": 4, "lora_alpha": 8, "peft_type": "LORA"})
    assert configuration.rank_and_alpha({configuration.ENTRY: told}) == (4, 8)
    for nothing in (None, {}, {configuration.ENTRY: "{}"}):
        assert configuration.rank_and_alpha(nothing) == (None, None)


@pytest.mark.parametrize("told", ["", "{", "null", "[]", "7", '"r"', "NaN", "[" * 200_000])
def test_what_is_no_object_of_json_is_refused(told):
    with pytest.raises(BadInput, match="start_adapter: is no adapter"):
        configuration.rank_and_alpha({configuration.ENTRY: told})
