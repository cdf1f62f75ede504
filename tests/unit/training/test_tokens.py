"""Answers are learned, and they alone; nothing is cut, and no text speaks for the template."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.adapters.training.tokens import read
from inland.domain.json_lines import BadLines

END = "<end>"


class Letters:
    """A tokenizer of letters, with a template like those that models have."""

    def __init__(self, end: str = END, gap: str = "\n") -> None:
        self._end, self._gap = end, gap

    def get_added_vocab(self):
        return {END: 1}

    def encode(self, text, *, add_special_tokens):
        assert not add_special_tokens
        return [ord(one) for one in text]

    def apply_chat_template(self, messages, *, tokenize, add_generation_prompt):
        assert not tokenize
        told = [f"[{one['role']}]{one['content']}{self._end}{self._gap}" for one in messages]
        return "".join(told) + ("[assistant]" if add_generation_prompt else "")


def line(*turns):
    messages = [{"role": role, "content": text} | more for role, text, more in turns]
    return json.dumps({"messages": messages}).encode()


def text(found, wanted):
    marks = zip(found.ids, found.learned, strict=True)
    return "".join(chr(one) for one, learned in marks if learned == wanted)


WORDS = st.text('abc {}:"\n', min_size=1, max_size=12).filter(str.strip)


@given(turns=st.lists(st.tuples(WORDS, WORDS, st.booleans()), min_size=1, max_size=4))
def test_the_answers_and_their_ends_are_learned_and_nothing_else(turns):
    *others, (asked, answered, _) = turns
    turns = [*others, (asked, answered, True)]
    told = []
    for asked, answered, learned in turns:
        told += [("user", asked, {}), ("assistant", answered, {"weight": int(learned)})]
    (found,) = read([("a", line(*told))], Letters(), 10_000)
    assert text(found, True) == "".join(f"{answer}{END}" for _, answer, mark in turns if mark)
    assert "".join(map(chr, found.ids)) + "\n" == Letters().apply_chat_template(
        [{"role": role, "content": said} for role, said, _ in told],
        tokenize=False,
        add_generation_prompt=False,
    )


USER: tuple = ("user", "q", {})
ANSWER: tuple = ("assistant", "a", {})


def test_what_is_too_long_is_refused_by_file_and_line():
    good, long = line(USER, ANSWER), line(("user", "q" * 99, {}), ANSWER)
    with pytest.raises(BadLines, match=r"^notes:2: messages: have \d+ tokens together; at most 60"):
        read([("first", good), ("notes", b"\n".join([good, long]))], Letters(), 60)


def test_a_text_cannot_end_a_turn():
    with pytest.raises(BadLines, match=r"^notes:1: messages\[0\]\.content: has '<end>'"):
        read([("notes", line(("user", f"a{END}b", {}), ANSWER))], Letters(), 999)


@pytest.mark.parametrize("tokenizer", [Letters(end=""), Letters(end="</s>")])
def test_a_template_that_does_not_say_where_an_answer_ends_is_refused(tokenizer):
    with pytest.raises(BadLines, match="base: its chat template does not say where an answer ends"):
        read([("notes", line(USER, ANSWER))], tokenizer, 999)
