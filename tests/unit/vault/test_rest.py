"""A keeper that kept somebody waiting for nothing is left alone for a moment, then tried by one."""

import pytest

from inland.adapters.vault.rest import Rest, Resting


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def rest(clock):
    return Rest(rest_s=2.0, slow_s=1.0, monotonic=clock)


def fail(rest, clock, took_s, error=OSError):
    def asked():
        with rest.asking(OSError):
            clock.now_s += took_s
            raise error("no answer")

    with pytest.raises(error):
        asked()


def works(rest):
    with rest.asking(OSError):
        pass


def test_a_slow_failure_is_told_again_at_once_and_for_a_moment_only(rest, clock):
    fail(rest, clock, 1.0)
    with pytest.raises(Resting, match="no answer"):
        works(rest)
    clock.now_s += 2.0
    works(rest)
    works(rest)


def test_a_quick_failure_and_one_that_is_an_answer_rest_nobody(rest, clock):
    fail(rest, clock, 0.5)
    works(rest)
    fail(rest, clock, 5.0, KeyError)
    works(rest)


def test_after_the_moment_one_tries_and_the_others_are_told(rest, clock):
    fail(rest, clock, 1.0)
    clock.now_s += 2.0
    with rest.asking(OSError), pytest.raises(Resting):
        works(rest)
    works(rest)


def test_one_that_tries_in_vain_rests_everybody_again(rest, clock):
    fail(rest, clock, 1.0)
    clock.now_s += 2.0
    fail(rest, clock, 1.0)
    with pytest.raises(Resting):
        works(rest)
