"""Questions asked together: so many at any time, in order, and none behind one that failed."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from inland.domain.errors import NotFound
from inland.lines.questions import AT_ONCE, Questions, asked_together
from inland.lines.steps.step import Doing, Ended
from inland.ports.tokens import Answered, Asked
from tests.patience import PATIENCE_S
from tests.unit.lines.world import LineWorld

COUNT = 3 * AT_ONCE


def _doing(
    progress: Callable[[int, int, str], None] = lambda *_: None,
    go_on: Callable[[], None] = lambda: None,
) -> Doing:
    return Doing(None, None, {}, lambda _: None, progress, go_on)


def _answered(text: str) -> Answered:
    return Answered(text, 1, f"receipt of {text}")


def test_one_that_takes_long_keeps_none_waiting_behind_it() -> None:
    others = threading.Semaphore(0)

    def first() -> Answered:
        for _ in range(COUNT - 1):
            assert others.acquire(timeout=PATIENCE_S)
        return _answered("0")

    def other(number: int) -> Answered:
        others.release()
        return _answered(str(number))

    calls = [first, *(lambda number=number: other(number) for number in range(1, COUNT))]
    told: list[tuple[int, int, str]] = []
    answers = asked_together(_doing(lambda *at: told.append(at)), "orders", calls)
    assert [one.text for one in answers] == [str(number) for number in range(COUNT)]
    assert told == [(done, COUNT, "orders") for done in range(COUNT + 1)]


def test_never_more_than_so_many_are_asked_at_once() -> None:
    together = threading.Barrier(AT_ONCE)
    now, most = 0, 0
    lock = threading.Lock()

    def call() -> Answered:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait(PATIENCE_S)  # that many are asked, or it breaks
        with lock:
            now -= 1
        return _answered("")

    asked_together(_doing(), "orders", [call] * COUNT)
    assert most == AT_ONCE


def test_behind_one_that_fails_or_an_end_no_more_are_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    told, shutdown = threading.Event(), ThreadPoolExecutor.shutdown

    def refused() -> Answered:
        asked.append("refused")
        raise NotFound("model")

    def other() -> Answered:
        asked.append("other")
        assert told.wait(PATIENCE_S)
        return _answered("")

    def no_more(pool: ThreadPoolExecutor, **more: bool) -> None:
        """Those that were asked are answered once the others are not to be."""
        shutdown(pool, wait=False, **more)
        told.set()
        shutdown(pool)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", no_more)
    with pytest.raises(NotFound):
        asked_together(_doing(), "orders", [refused, *[other] * COUNT])
    assert len(asked) <= 1 + AT_ONCE

    def end() -> None:
        raise Ended("cancelled")

    asked.clear()
    told.clear()
    with pytest.raises(Ended):
        asked_together(_doing(go_on=end), "orders", [other] * COUNT)
    assert len(asked) <= AT_ONCE


def test_nothing_is_asked_for_a_run_that_is_to_stop(world: LineWorld) -> None:
    world.add_suite()
    world.declare()
    run = world.start()

    def end() -> None:
        raise Ended

    questions = Questions(world.tokens, world.room.worker._keys, world.plant.clock)
    doing = replace(_doing(go_on=end), run=run)
    with pytest.raises(Ended):
        questions.answered(doing, Asked("smollm2", (("user", "Ping?"),), 8))
    assert world.tokens.asked == []
    assert not world.room.worker._keys.holds()
