"""Engines get cores of their own while there are enough."""

from hypothesis import given
from hypothesis import strategies as st

from inland.decide.scheduling import assign_accelerators, assign_cores, cores_beside


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


COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 4))


@given(COUNTS, st.integers(0, 8), COUNTS)
def test_no_accelerator_is_given_twice_and_whoever_runs_keeps_its_own(before, count, after):
    there = range(count)
    held = assign_accelerators(before, there, {})
    for assigned, wanted in ((held, before), (assign_accelerators(after, there, held), after)):
        given_out = [one for mine in assigned.values() for one in mine]
        assert len(given_out) == len(set(given_out))
        assert set(given_out) <= set(there)
        assert all(len(assigned[name]) in {0, wanted[name]} for name in wanted)
    again = assign_accelerators(after, there, held)
    for name, wanted in after.items():
        if held.get(name) and before[name] == wanted:
            assert again[name] == held[name]


def test_what_works_beside_engines_has_cores_of_its_own_or_none():
    assert cores_beside([(6, 7), (4, 5)], range(8)) == (1, 2, 3)
    assert cores_beside([], range(4)) == (1, 2, 3)
    assert cores_beside([(1,)], range(2)) == ()
    assert cores_beside([range(8)], range(8)) == ()
    assert cores_beside([], (5,)) == ()
