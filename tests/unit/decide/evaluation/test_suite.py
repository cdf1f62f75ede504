"""A suite is read as it is written, and what is wrong in it is named to the field."""

import json

import pytest

from inland.decide.evaluation.suite import ANSWER_TOKENS, Scorer, tasks
from inland.domain.chat import Message, Role
from inland.domain.json_lines import BadLines

GOOD = {"input": "What is 2 + 2?", "reference": "4"}


def test_the_shortest_task_is_a_question_and_its_answer():
    (task,) = tasks("a", json.dumps(GOOD).encode())
    assert (task.line, task.question, task.reference) == (1, "What is 2 + 2?", "4")
    assert task.messages == (Message(Role.USER, "What is 2 + 2?"),)
    assert (task.scorer, task.answer_tokens) == (Scorer.EXACT, ANSWER_TOKENS)


def test_a_task_may_say_more():
    asked = [{"role": "system", "content": "Count."}, {"role": "user", "content": "How many?"}]
    scorer = {"kind": "numeric", "tolerance": 0.5, "relative": 0.01}
    told = {"input": asked, "reference": 4, "scorer": scorer, "max_tokens": 8}
    (task,) = tasks("a", json.dumps(told).encode())
    assert (task.scorer, task.tolerance, task.relative) == (Scorer.NUMERIC, 0.5, 0.01)
    assert (task.question, task.answer_tokens) == ("How many?", 8)


WRONG: dict[str, list[dict]] = {
    "input: must be a question": [{"input": ""}, {"input": 3}, {"input": None}],
    "input[1].role: the last message": [
        {"input": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "a"}]}
    ],
    "input[0].weight: is for answers": [
        {"input": [{"role": "user", "content": "a", "weight": 1}]},
    ],
    "scorer: must be one of exact, contains": [
        {"scorer": "like"},
        {"scorer": {"name": "exact"}},
        {"scorer": {"kind": [1]}},
    ],
    "scorer: must be a name": [{"scorer": 3}],
    "scorer.tolerance: is not a field here": [{"scorer": {"kind": "exact", "tolerance": 1}}],
    "scorer.tolerance: must be a number of": [
        {"scorer": {"kind": "numeric", "tolerance": -1}, "reference": 1},
        {"scorer": {"kind": "numeric", "tolerance": "1"}, "reference": 1},
        {"scorer": {"kind": "numeric", "tolerance": True}, "reference": 1},
    ],
    "reference: must be a number": [
        {"scorer": "numeric", "reference": "4"},
        {"scorer": "numeric", "reference": 10**400},
    ],
    "reference: must be a text, or a list": [
        {"reference": 4},
        {"reference": []},
        {"scorer": "contains", "reference": ["a", 4]},
    ],
    "reference: must be a text": [{"scorer": "judge", "reference": ["a"]}],
    "reference: must be a JSON schema": [{"scorer": "json-schema", "reference": "object"}],
    "reference: is no JSON schema that stands alone": [
        {"scorer": "json-schema", "reference": {"type": "thing"}},
        {"scorer": "json-schema", "reference": {"$ref": "https://127.0.0.1:1/schema"}},
        {"scorer": "json-schema", "reference": {"$ref": "#/$defs/none"}},
        {"scorer": "json-schema", "reference": {"pattern": "("}},
    ],
    "max_tokens: must be from 1": [{"max_tokens": 0}, {"max_tokens": 1.5}, {"max_tokens": True}],
    "answer: is not a field here": [{"answer": "4"}],
}


@pytest.mark.parametrize(("why", "fields"), [(why, one) for why in WRONG for one in WRONG[why]])
def test_what_is_wrong_is_named_by_file_line_and_field(why, fields):
    bad, good = json.dumps(GOOD | fields).encode(), json.dumps(GOOD).encode()
    with pytest.raises(BadLines) as caught:
        tasks("suite.jsonl", b"\n".join([good, bad]))
    assert str(caught.value).startswith(f"suite.jsonl:2: {why}")


def test_a_task_without_a_reference_is_refused():
    with pytest.raises(BadLines, match="a:1: reference: is missing"):
        tasks("a", b'{"input": "why?"}')
