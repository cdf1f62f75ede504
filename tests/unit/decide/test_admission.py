"""Laws of admission: bounded, fair between tenants, never idle with fitting work, none starved."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from inland.decide.admission import step
from inland.decide.admission_events import (
    Arrive,
    Bounds,
    Done,
    Down,
    Event,
    Refuse,
    Return,
    Start,
    Tick,
    Up,
    Why,
)
from inland.decide.admission_state import State

BOUNDS = Bounds(waiting_per_tenant=3, waiting_total=8, wait_s=10, overtakes=2)
TENANTS = ("a", "b", "c")


class Admission(RuleBasedStateMachine):
    """Whatever comes in whatever order, the laws hold."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State(BOUNDS)
        self.now = 0.0
        self.next = 0
        self.wants: dict[int, tuple[str, int, float]] = {}
        self.waiting: list[int] = []
        self.running: dict[int, str] = {}
        self.slots: dict[str, int] = {}

    def feed(self, event: Event) -> None:
        self.state, actions = step(self.state, event, self.now)
        for action in actions:
            self.waiting.remove(action.request)
            if isinstance(action, Start):
                assert action.replica in self.slots
                self.running[action.request] = action.replica

    @rule(tenant=st.sampled_from(TENANTS), slots=st.integers(1, 4))
    def arrive(self, tenant: str, slots: int) -> None:
        number, self.next = self.next, self.next + 1
        self.wants[number] = (tenant, slots, self.now)
        self.waiting.append(number)
        self.feed(Arrive(number, tenant, slots))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.running)))
        del self.running[number]
        self.feed(Done(number))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(number)
        self.feed(Done(number))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.running)))
        del self.running[number]
        self.waiting.append(number)
        tenant, slots, _ = self.wants[number]
        self.wants[number] = (tenant, slots, self.now)  # it may wait as long as any other
        self.feed(Return(number))

    @rule(name=st.sampled_from(["r0", "r1"]), slots=st.integers(1, 4))
    def up(self, name: str, slots: int) -> None:
        self.slots[name] = slots
        self.feed(Up(name, slots))

    @rule(name=st.sampled_from(["r0", "r1"]))
    def down(self, name: str) -> None:
        self.slots.pop(name, None)
        self.feed(Down(name))

    @rule(seconds=st.integers(1, 12))
    def tick(self, seconds: int) -> None:
        self.now += seconds
        self.feed(Tick())
        assert all(self.now - self.wants[one][2] < BOUNDS.wait_s for one in self.waiting)

    def free(self, name: str) -> int:
        used = sum(self.wants[one][1] for one, at in self.running.items() if at == name)
        return self.slots[name] - used

    @invariant()
    def queues_are_bounded(self) -> None:
        # Those that came back were admitted once; they may exceed a queue that filled meanwhile.
        assert self.state.waiting == len(self.waiting)

    @invariant()
    def no_slot_idles_while_something_fits(self) -> None:
        queues = [a.queue for a in self.state.turns.accounts.values() if a.queue]
        if any(r.overtaken >= BOUNDS.overtakes for queue in queues for r in queue.values()):
            return
        heads = [next(iter(queue.values())) for queue in queues]
        for name in self.slots:
            assert all(head.slots > self.free(name) for head in heads)


class NoOverbooking(Admission):
    """With replicas whose size never changes, running slots never exceed it."""

    @rule(name=st.sampled_from(["r0", "r1"]), slots=st.just(4))
    def up(self, name: str, slots: int) -> None:
        super().up(name, slots)

    @invariant()
    def slots_are_never_overbooked(self) -> None:
        for name in ("r0", "r1"):
            assert sum(self.wants[one][1] for one, at in self.running.items() if at == name) <= 4


TestAdmission = Admission.TestCase
TestAdmission.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestNoOverbooking = NoOverbooking.TestCase
TestNoOverbooking.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def feed(state: State, *events: Event) -> list[Start | Refuse]:
    actions: list[Start | Refuse] = []
    for event in events:
        state, more = step(state, event, 0.0)
        actions += more
    return actions


def test_tenants_take_turns_however_many_one_sends() -> None:
    state = State()
    flood = [Arrive(n, "flood") for n in range(1, 10)]
    feed(state, Up("r", 1), Arrive(0, "flood"), *flood, Arrive(100, "quiet"), Arrive(101, "quiet"))
    order = [feed(state, Done(one, 9, 9))[0].request for one in (0, 1, 100, 2)]
    assert order == [1, 100, 2, 101]


def test_a_large_request_is_overtaken_a_bounded_number_of_times() -> None:
    state = State(BOUNDS)
    feed(state, Up("r", 4), *[Arrive(n, f"t{n}") for n in range(4)])
    feed(state, Arrive(50, "large", 4))
    started: list[int] = []
    for n in range(4, 12):
        feed(state, Arrive(n, "small"))
    for n in range(4):
        started += [a.request for a in feed(state, Done(n)) if isinstance(a, Start)]
    assert len(started) == BOUNDS.overtakes
    assert [feed(state, Done(n)) for n in started][-1] == [Start(50, "r")]


def test_a_full_queue_turns_away_and_a_request_no_replica_can_hold_too() -> None:
    state = State(BOUNDS)
    feed(state, Up("r", 1), *[Arrive(n, "a") for n in range(4)])
    assert feed(state, Arrive(9, "a")) == [Refuse(9, Why.FULL, 1)]
    assert feed(state, Arrive(10, "b", 2)) == [Refuse(10, Why.TOO_LARGE, 0)]
    assert feed(state, Arrive(11, "b")) == []


def test_the_queue_over_all_tenants_is_bounded() -> None:
    state = State(BOUNDS)
    actions = feed(state, *[Arrive(n, f"t{n}") for n in range(8)], Arrive(8, "t0"))
    assert actions == [Refuse(8, Why.FULL, 1)]


def test_where_nothing_may_wait_nothing_waits() -> None:
    state, _ = step(State(Bounds(waiting_per_tenant=0)), Up("r", 1), 0.0)
    state, started = step(state, Arrive(1, "a"), 0.0)
    assert started == (Start(1, "r"),)
    state, refused = step(state, Arrive(2, "a"), 0.0)
    assert refused == (Refuse(2, Why.FULL, 1),)
