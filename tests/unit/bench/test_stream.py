"""What make bench-stream says of two sides."""

from typing import Any

import pytest

from bench.stream import compared


def side(events_per_s: int, limit: str = "server") -> dict[str, Any]:
    return {"events_per_s": events_per_s, "limit": limit}


def test_the_ratio_is_of_what_two_servers_carry():
    assert compared({"inland": side(40), "nginx": side(64)}) == {"ratio_nginx": 0.625}


@pytest.mark.parametrize(
    "figures",
    [
        {"inland": side(40), "nginx": side(64, "generator")},
        {"inland": side(40, "generator"), "nginx": side(64)},
        {"inland": side(40), "nginx": side(0)},
        {"inland": side(40)},
    ],
)
def test_a_side_that_the_generator_held_back_has_no_ratio(figures):
    assert compared(figures) == {}
