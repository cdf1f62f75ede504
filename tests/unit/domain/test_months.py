"""Months by their names: they join, and what is none is refused."""

import itertools

import pytest

from inland.domain.errors import BadInput
from inland.domain.months import month_at, month_of

NO_MONTHS = [
    *("", "x", "2027", "2027-13", "2027-00", "2027-1", "2027-01-01", "2027-01\n", " 2027-1"),
    *("0000-01", "1969-12", "9999-12", "٢٠٢٧-01"),
]


@pytest.mark.parametrize("name", NO_MONTHS)
def test_what_is_no_month_is_refused(name):
    with pytest.raises(BadInput, match="month"):
        month_of(name)


def test_months_join_without_a_gap():
    names = [f"{year}-{n:02}" for year in (1970, 1971, 2027, 2028, 9998) for n in range(1, 13)]
    for one, after in itertools.pairwise(map(month_of, names)):
        if one.name[5:] != "12" or one.name[:4] in {"1970", "2027"}:
            assert one.until_unix_s == after.since_unix_s
    assert month_of("1970-01").since_unix_s == 0


def test_a_moment_is_in_its_month():
    month = month_of("2028-02")
    assert month_at(month.since_unix_s) == month_at(month.until_unix_s - 1) == month
    assert month_at(month.until_unix_s).name == "2028-03"
