"""A child's life, with no child."""

from hypothesis import given
from hypothesis import strategies as st

from inland.adapters.processes.states import PROCESS_LIFE, BackOff, Life
from inland.ports.runner import ProcessState

USUAL = BackOff()


def test_first_restart_is_at_once_the_next_waits_and_the_third_start_is_the_last() -> None:
    assert [USUAL.delay_s(unready) for unready in range(5)] == [0, 0, 0.5, None, None]


def test_three_starts_that_never_became_ready_give_it_up() -> None:
    life = Life()
    for _ in range(2):
        life = life.ended("exit code 1", 0.0, USUAL)
        assert life.state is ProcessState.BACKING_OFF
        life = life.restarted()
    life = life.ended("exit code 1: no model", 0.0, USUAL)
    assert life.state is ProcessState.FAILED
    assert life.why == "exit code 1: no model"


def test_a_child_that_was_ready_is_never_given_up_and_starts_again_at_once() -> None:
    life = Life()
    for now_s in range(50):
        life = life.ready().ended("killed", float(now_s), USUAL)
        assert life.state is ProcessState.BACKING_OFF
        assert life.due_s == now_s
        life = life.restarted()
    assert life.restarts == 50


def test_becoming_ready_forgets_failed_starts() -> None:
    life = Life().ended("one", 0.0, USUAL).restarted().ended("two", 0.0, USUAL).restarted()
    assert life.ready().ended("three", 7.0, USUAL).due_s == 7.0


def test_a_revived_child_has_all_its_tries() -> None:
    life = Life()
    for _ in range(2):
        life = life.ended("why", 0.0, USUAL).restarted()
    life = life.ended("why", 0.0, USUAL).revived()
    assert life.state is ProcessState.STARTING
    assert life.ended("again", 0.0, USUAL).state is ProcessState.BACKING_OFF


def test_a_start_that_finds_no_room_waits_and_is_never_given_up() -> None:
    life = Life().ended("exit code 1", 0.0, USUAL).restarted()
    for now_s in range(20):
        life = life.found_no_room("full", float(now_s), USUAL)
        assert life.due_s == now_s + USUAL.room_s
        life = life.restarted()
    life = life.ended("exit code 1", 0.0, USUAL)
    assert life.state is ProcessState.BACKING_OFF, "and it costs none of its tries"


def test_stopped_is_the_end_and_every_state_has_its_moves() -> None:
    assert set(PROCESS_LIFE) == set(ProcessState)
    assert PROCESS_LIFE[ProcessState.STOPPED] == frozenset()


@given(st.lists(st.sampled_from(["ready", "ended", "restarted", "revived", "stopped"])))
def test_no_word_moves_a_life_where_the_table_does_not_lead(words: list[str]) -> None:
    life = Life()
    for word in words:
        before = life.state
        try:
            life = life.ended("x", 0.0, USUAL) if word == "ended" else getattr(life, word)()
        except AssertionError:
            continue
        assert life.state is before or life.state in PROCESS_LIFE[before]
