"""One table of limits: every row says its unit, and somebody keeps it."""

import re
from dataclasses import Field, fields

import pytest

from inland.domain.errors import BadInput
from inland.domain.limits import Limits
from tests.architecture.source import ROOT

ROWS = fields(Limits)
SUFFIXES = {"bytes": "_bytes", "seconds": "_s", "milliseconds": "_ms", "tokens": "_tokens"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_limit_says_its_unit_last_and_why_it_is_there(row: "Field[int]") -> None:
    unit = row.metadata["unit"]
    for known, suffix in SUFFIXES.items():
        assert row.name.endswith(suffix) == (unit == known)
    assert row.metadata["why"]
    assert row.metadata["least"] <= row.default <= row.metadata["most"]


def test_every_limit_is_kept_by_somebody() -> None:
    table = ROOT / "src" / "inland" / "domain" / "limits.py"
    source = "".join(p.read_text() for p in (ROOT / "src").rglob("*.py") if p != table)
    unkept = [
        row.name
        for row in ROWS
        if not re.search(rf"limits\.{row.name}\b|bounds\.{row.name}\b", source)
    ]
    assert unkept == []


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "10", 1 << 40, float("nan"), None])
def test_a_value_outside_its_bounds_is_refused_by_name(value: object) -> None:
    with pytest.raises(BadInput, match=r"limits\.body_bytes"):
        Limits.of({"body_bytes": value})


def test_a_name_nobody_knows_is_refused() -> None:
    with pytest.raises(BadInput, match="speed"):
        Limits.of({"speed": 3})
