"""Turns: one at a time, few that wait, none for long."""

import threading

import pytest

from inland.domain.errors import Busy
from inland.plant.turns import Turns


def test_one_has_the_turn_and_the_next_has_it_after():
    turns = Turns("others", wait_s=0.01)
    with turns.turn(), pytest.raises(Busy), turns.turn():
        raise AssertionError("there are two")
    with turns.turn():
        pass


def test_beyond_those_that_may_wait_nobody_does():
    turns = Turns("others", wait_s=60, waiting=1)
    had = []

    def wait() -> None:
        with turns.turn():
            had.append(True)

    with turns.turn():
        waits = threading.Thread(target=wait)
        waits.start()
        while turns._places._value:
            pass
        with pytest.raises(Busy, match="others are being made"), turns.turn():
            raise AssertionError("it waited")
        assert not had
    waits.join()
    assert had


def test_what_fails_gives_its_turn_back():
    turns = Turns("others", wait_s=0.01, waiting=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.turn():
            raise ZeroDivisionError
