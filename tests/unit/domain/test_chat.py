"""Training data is read as it is written, and what is wrong in it is named to the field."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.domain.chat import Example, Message, Role, examples
from inland.domain.json_lines import BadLines

TEXTS = st.text(min_size=1, max_size=30).filter(str.strip)
TURN = st.tuples(TEXTS, TEXTS, st.sampled_from([None, 1]))
USER, ANSWER = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}


def line(*messages, **more):
    return json.dumps({"messages": messages, **more}).encode()


@given(system=st.none() | TEXTS, turns=st.lists(TURN, min_size=1, max_size=4))
def test_what_is_written_is_what_is_read(system, turns):
    written = [] if system is None else [{"role": "system", "content": system}]
    wanted = [] if system is None else [Message(Role.SYSTEM, system)]
    for asked, answered, weight in turns:
        more = {} if weight is None else {"weight": weight}
        written += [{"role": "user", "content": asked}]
        written += [{"role": "assistant", "content": answered, **more}]
        wanted += [Message(Role.USER, asked)]
        wanted += [Message(Role.ASSISTANT, answered, learned=True)]
    assert examples("a", line(*written)) == [Example(1, tuple(wanted))]


def test_an_answer_of_weight_0_is_read_and_not_learned():
    (found,) = examples("a", line(USER, ANSWER | {"weight": 0}, USER, ANSWER))
    assert [one.learned for one in found.messages] == [False, False, False, True]


def test_its_question_is_what_the_user_says():
    system = {"role": "system", "content": "always the same"}
    (found,) = examples("a", line(system, USER, ANSWER, USER, ANSWER))
    assert found.question == "q\nq"


WRONG: dict[str, list[dict]] = {
    "messages: must be a list": [{}, {"messages": []}, {"messages": "hello"}],
    "messages[0]: must be an object": [{"messages": ["hello"]}],
    "messages[0].role: must be one of": [{"messages": [{"role": "tool", "content": "a"}, ANSWER]}],
    "messages[1].content: must be a text": [
        {"messages": [USER, {"role": "assistant"}]},
        {"messages": [USER, {"role": "assistant", "content": " \n"}]},
        {"messages": [USER, {"role": "assistant", "content": ["a"]}]},
    ],
    "messages[1].weight: must be 0 or 1": [
        {"messages": [USER, ANSWER | {"weight": 2}]},
        {"messages": [USER, ANSWER | {"weight": True}]},
        {"messages": [USER, ANSWER | {"weight": [1]}]},
    ],
    "messages[0].weight: is for answers": [{"messages": [USER | {"weight": 1}, ANSWER]}],
    "messages: have no answer to learn": [{"messages": [USER, ANSWER | {"weight": 0}]}],
    "messages[1].role: the last message": [{"messages": [ANSWER, USER]}],
    "messages[1].role: a system message": [
        {"messages": [USER, {"role": "system", "content": "a"}, ANSWER]}
    ],
    "messages: have no message of the user": [{"messages": [ANSWER]}],
    "prompt: is not a field here": [{"messages": [USER, ANSWER], "prompt": "a"}],
    "messages[0].name: is not a field here": [{"messages": [USER | {"name": "a"}, ANSWER]}],
}


@pytest.mark.parametrize(("why", "fields"), [(why, one) for why in WRONG for one in WRONG[why]])
def test_what_is_wrong_is_named_by_file_line_and_field(why, fields):
    good = line(USER, ANSWER)
    with pytest.raises(BadLines) as caught:
        examples("notes.jsonl", b"\n".join([good, json.dumps(fields).encode(), good]))
    assert str(caught.value).startswith(f"notes.jsonl:2: {why}")
