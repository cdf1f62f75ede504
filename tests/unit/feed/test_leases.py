"""Control's side of the leases: nobody acts on an old version once `in_force` says so."""

from hypothesis import given
from hypothesis import strategies as st

from inland.adapters.feed.frames import LEASE_S, Ask
from inland.adapters.feed.leases import Leases, fresh_leases


def answered(leases: Leases, ask: Ask, now: float, current: int | None = None) -> Leases:
    """After an answer; the newest version is the one it runs, unless said."""
    return leases.answer(ask, ask.running if current is None else current, now)[0]


def _ask(running: int, writer: str = "w", pid: int = 1) -> Ask:
    return Ask(1, "gateway-0", pid, writer, running)


def test_a_gateway_that_never_acks_delays_it_for_one_lease_and_no_longer():
    leases = answered(Leases(0.0, {}), _ask(1), 10.0)
    assert not leases.in_force(2, 2, 10.0 + LEASE_S - 0.001, None)
    assert leases.in_force(2, 2, 10.0 + LEASE_S, None)


def test_a_gateway_that_runs_it_delays_nothing():
    leases = answered(answered(Leases(0.0, {}), _ask(1), 10.0), _ask(2), 10.1)
    assert leases.in_force(2, 2, 10.1, None)


def test_a_control_that_starts_assumes_a_lease_everywhere():
    leases = fresh_leases(100.0)
    assert not leases.in_force(1, 1, 100.0, None)
    assert not leases.in_force(1, 1, 100.0, {7})
    assert leases.in_force(1, 1, 100.0 + LEASE_S, {7})


def test_a_control_that_starts_need_not_wait_for_gateways_that_run_its_version():
    leases = answered(fresh_leases(100.0), _ask(1, pid=7), 100.1)
    assert leases.in_force(1, 1, 100.2, {7})
    assert not leases.in_force(1, 1, 100.2, {7, 8}), "one more lives and has not been heard"
    assert not leases.in_force(2, 2, 100.2, {7}), "it runs an older one"


def test_a_version_that_was_never_ours_is_not_in_force():
    leases = answered(Leases(0.0, {}), _ask(99), 10.0)
    assert not leases.in_force(2, 3, 10.1, None)


def test_whoever_does_not_come_to_run_a_version_gets_no_more_lease():
    leases = answered(Leases(0.0, {}), _ask(1), 10.0)
    leases, lease_s = leases.answer(_ask(1), 2, 11.0)
    assert lease_s == LEASE_S, "it has just been told"
    for second in range(3, 20):
        leases, lease_s = leases.answer(_ask(1), 2, 11.0 + second)
        assert lease_s == 0.0
    assert leases.in_force(2, 2, 11.0 + LEASE_S, None)
    leases, lease_s = leases.answer(_ask(2), 2, 40.0)
    assert lease_s == LEASE_S, "it came to run it"


_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),  # which gateway asks
        st.floats(0, 3),  # after how long
        st.booleans(),  # whether it has applied the newest version
        st.booleans(),  # whether something is changed before
    ),
    max_size=20,
)


@given(_EVENTS, st.floats(0, 8))
def test_in_force_means_that_no_lease_on_an_older_version_runs(events, later_s):
    """The gateways' own account: each may act until 5 s after it asked, on what it had applied."""
    now, version = 100.0, 1
    leases = fresh_leases(now - LEASE_S)
    acts: dict[str, tuple[float, int]] = {}
    running = {"a": 1, "b": 1}
    for writer, wait_s, applies, changes in events:
        now += wait_s
        version += changes
        running[writer] = version if applies else running[writer]
        leases, lease_s = leases.answer(_ask(running[writer], writer), version, now)
        until = max(now + lease_s, acts.get(writer, (0.0, 0))[0])
        acts[writer] = (until, running[writer])
    now += later_s
    if leases.in_force(version, version, now, None):
        assert all(until <= now or runs >= version for until, runs in acts.values())
    else:
        assert any(until > now and runs < version for until, runs in acts.values())


def test_gateways_that_keep_dying_before_they_run_anything_delay_nothing():
    leases = Leases(0.0, {})
    for life in range(20):
        leases, lease_s = leases.answer(_ask(0, writer=f"w{life}"), 2, 10.0 + life)
        assert lease_s == 0.0, "there is nothing yet that it could act on"
        assert leases.in_force(2, 2, 10.0 + life, None)


def test_work_on_a_replica_is_known_from_what_is_told_since_it_gets_nothing_new():
    def told(running: int, *at_work: str, silent: bool = False) -> Ask:
        series = [[[one], 1] for one in at_work]
        metrics = {"gauges": {"replica_requests": {"labels": ["replica"], "series": series}}}
        return Ask(1, "gateway-0", 1, "w", running, None if silent else metrics)

    alive = {1}
    leases = Leases(0.0, {})
    assert leases.works_on("r-1", 5, 9.9, alive), "it lives, and nobody heard of it"
    assert leases.works_on("r-1", 5, 9.9, None), "nobody can say which live"
    leases = answered(leases, told(4), 10.0)
    assert leases.works_on("r-1", 5, 10.1, alive), "it said so before it knew"
    leases = answered(leases, told(5, silent=True), 10.2)
    assert leases.works_on("r-1", 5, 10.3, alive), "it knows, and has said nothing since"
    leases = answered(leases, told(5, "r-1"), 10.4)
    assert leases.works_on("r-1", 5, 10.5, alive)
    assert not leases.works_on("r-0", 5, 10.5, alive)
    leases = answered(leases, told(5, "r-0"), 10.6)
    assert not leases.works_on("r-1", 5, 10.7, alive)
    leases = answered(leases, told(5, "r-1"), 10.8)
    late = 10.8 + LEASE_S
    assert leases.works_on("r-1", 5, late, alive), "without a lease it still ends what it has"
    assert not leases.works_on("r-1", 5, late, set()), "it is gone, and so is its work"
