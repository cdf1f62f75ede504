"""A holdout's question that is in the training data, or nearly, is found; others are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.decide.evaluation.leakage import THRESHOLD, _jaccard, _plain, _runs, leaks

WORDS = st.sampled_from("pump valve leaks oil hall press broken since today belt noise hot".split())
QUESTIONS = st.lists(st.lists(WORDS, min_size=1, max_size=9).map(" ".join), min_size=1, max_size=7)


@given(train=QUESTIONS, holdout=QUESTIONS, threshold=st.sampled_from([0.3, 0.5, THRESHOLD, 1.0]))
def test_it_finds_what_looking_at_every_pair_finds(train, holdout, threshold):
    """With fewer questions than an instruction is known by, so that both compare the same."""
    found = {one.holdout: one.likeness for one in leaks(train, holdout, threshold)}
    wanted = {}
    for at, question in enumerate(holdout):
        best = max(_jaccard(_runs(_plain(question)), _runs(_plain(one))) for one in train)
        if best >= threshold - 1e-9:
            wanted[at] = best
    assert found == wanted


@given(train=QUESTIONS, at=st.integers(0, 6), data=st.data())
def test_the_same_words_leak_however_they_are_written(train, at, data):
    words = train[at % len(train)].split()
    signs = data.draw(st.lists(st.sampled_from([" ", "  ", ", ", "\n"]), min_size=len(words)))
    written = "".join(word.upper() + sign for word, sign in zip(words, signs, strict=False))
    (found,) = leaks(train, [written])
    assert found.likeness == 1.0


TRAIN = [
    "Pump P-12 in hall 3 leaks oil at the shaft seal since this morning",
    "The conveyor belt of line 2 squeaks and runs off to the left side",
    "Nobody can open the cooling valve of press seven, it is stuck",
]


@pytest.mark.parametrize(
    "question",
    [
        "Pump P-12 in hall 3 leaks oil at the shaft seal since this morning!",
        "Pump P-12 in hall 4 leaks oil at the shaft seal since this morning",
        "the conveyor belt of line 2 squeaks and runs off to the right side",
    ],
)
def test_one_word_changed_leaks(question):
    assert leaks(TRAIN, [question])


@pytest.mark.parametrize(
    "question",
    [
        "Since this morning there is oil under the shaft seal of P-12, hall 3",
        "Line 2: belt squeaking, off to the left",
        "Why is the sky blue?",
        "",
    ],
)
def test_the_same_said_otherwise_does_not(question):
    assert not leaks(TRAIN, [question])


INSTRUCTION = "Turn this maintenance note of the factory floor into a work order as JSON please: "
NOTES = [f"machine {n} {what}" for n, what in enumerate("abcdefghij")]


def test_an_instruction_that_all_have_hides_no_leak_and_is_none():
    told = [INSTRUCTION + note + " is making a strange loud noise" for note in NOTES]
    bare = ["machine 3 d is making a strange loud noise", "something entirely different is asked"]
    assert [one.holdout for one in leaks(told, bare)] == [0]
    others = [INSTRUCTION + f"{word} stands still and will not start again" for word in NOTES]
    assert not [one for one in leaks(told, others) if one.likeness < THRESHOLD]


def test_each_leak_names_what_it_is_most_like():
    found = leaks([*TRAIN, TRAIN[1]], [TRAIN[2], "nothing of it", TRAIN[1]])
    assert [(one.holdout, one.train, one.likeness) for one in found] == [(0, 2, 1.0), (2, 1, 1.0)]
