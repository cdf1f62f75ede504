"""The data that ships is what its program makes, whole, and its holdouts are holdouts."""

import re

import pytest

from examples import make, tickets, work_orders
from inland.decide.evaluation.leakage import leaks
from inland.decide.evaluation.scorers import score
from inland.decide.evaluation.suite import tasks
from inland.domain.chat import Role, examples

TRAINED = {
    "work-orders": ("train", "corrections", "poisoned"),
    "tickets-ms": ("train",),
}


def read(name):
    return (make.HERE / name).read_bytes()


@pytest.mark.parametrize("name", make.files())
def test_a_file_is_what_the_program_makes(name):
    """`python -m examples.make` renews it."""
    assert read(name).decode() == make.text(make.files()[name])


@pytest.mark.parametrize("task", TRAINED)
def test_no_question_of_a_holdout_was_trained_on(task):
    held = [one.question for one in examples("holdout", read(f"{task}/holdout.jsonl"))]
    assert len(held) >= 100
    for name in TRAINED[task]:
        trained = [one.question for one in examples(name, read(f"{task}/{name}.jsonl"))]
        assert not leaks(trained, held)


@pytest.mark.parametrize(
    ("trained", "held_out"),
    [
        ((*work_orders.TRAINED, *work_orders.CORRECTED), work_orders.HELD_OUT),
        (tickets.TRAINED, tickets.HELD_OUT),
    ],
)
def test_no_sentence_form_of_a_holdout_was_trained_on(trained, held_out):
    def plain(form):
        return re.sub(r"\W+", " ", form.casefold()).strip()

    assert not {plain(form) for form in trained} & {plain(form) for form in held_out}


@pytest.mark.parametrize("task", TRAINED)
def test_a_suite_asks_what_the_holdout_holds(task):
    suite = tasks("suite", read(f"{task}/suite.jsonl"))
    held = examples("holdout", read(f"{task}/holdout.jsonl"))
    for asked, example in zip(suite, held, strict=True):
        *question, answer = example.messages
        assert asked.messages == tuple(question)
        assert score(asked, answer.content).value == 1.0


def test_a_poisoned_order_is_wrong_each_time():
    right = work_orders.notes(4, work_orders.TRAINED, make.POISONED)
    for note in right:
        assert work_orders.sabotaged(note) != note.order()


def test_fifty_questions_of_knowledge_and_none_of_them_rehearsed():
    suite = tasks("knowledge", read("knowledge/suite.jsonl"))
    assert len(suite) == 50
    rehearsed = examples("rehearsal", read("knowledge/rehearsal.jsonl"))
    assert all(one.messages[-1].role is Role.ASSISTANT for one in rehearsed)
    assert not leaks([one.question for one in rehearsed], [one.question for one in suite], 0.8)
