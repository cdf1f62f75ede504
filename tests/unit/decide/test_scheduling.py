"""Engines get cores of their own while there are enough."""

from hypothesis import given
from hypothesis import strategies as st

from inland.decide.scheduling import assign_cores


@given(st.lists(st.integers(1, 8), max_size=6), st.integers(1, 16))
def test_no_core_is_given_twice_and_the_first_is_kept_back(threads, count):
    assigned = assign_cores(threads, range(count))
    given_out = [core for cores in assigned for core in cores]
    assert len(given_out) == len(set(given_out))
    assert 0 not in given_out
    assert all(len(cores) in {0, wanted} for cores, wanted in zip(assigned, threads, strict=True))


def test_one_engine_of_one_thread_gets_the_last_core():
    assert assign_cores([1], [0, 1]) == [(1,)]
    assert assign_cores([1, 1], [0, 1]) == [(1,), ()]
