"""Suites: tasks in JSON Lines, simple enough to write by hand (docs/evaluation.md).

A task has `input` (a question or messages), `reference` (what is right) and `scorer` (how an answer
is held to it; `exact` where none is named).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from inland.decide.evaluation.json_schema import demand_schema
from inland.domain.chat import Message, Role, conversation, question
from inland.domain.errors import BadInput
from inland.domain.json_lines import demand_known, read

#: What an answer may have, where its task does not say; and what a task may say.
ANSWER_TOKENS, MOST_ANSWER_TOKENS = 256, 8192
REFERENCES = 64
#: No number is as far off as this.
_HUGE = 1e300


class Scorer(StrEnum):
    """How an answer is held to its reference."""

    EXACT = "exact"  # the same text, blanks around it aside; or one of several
    CONTAINS = "contains"  # has it as whole words, however written; or one of several
    NUMERIC = "numeric"  # its last number, within `tolerance` or `relative`
    JSON_SCHEMA = "json-schema"  # JSON that the reference, a schema, allows
    JSON_EQUALITY = "json-equality"  # JSON with the same value
    EMBEDDING = "embedding"  # likeness of meaning, from 0 to 1
    JUDGE = "judge"  # what a model that is asked says of it, from 0 to 1


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to ask. `line`: of the suite's file, and by what the task is known. `tolerance`:
    how far off a number may be, `relative`: as a part of the reference."""

    line: int
    messages: tuple[Message, ...]
    scorer: Scorer
    reference: Any
    tolerance: float = 0.0
    relative: float = 0.0
    answer_tokens: int = ANSWER_TOKENS

    @property
    def question(self) -> str:
        """What is asked, without what every task may have before it."""
        return question(self.messages)


def tasks(file: str, data: bytes) -> list[Task]:
    """A suite's tasks. Raises BadLines."""
    return read(file, data, _task)


def _task(line: int, fields: dict[str, Any]) -> Task:
    demand_known(fields, ("input", "reference", "scorer", "max_tokens"))
    options = _scorer(fields.get("scorer", Scorer.EXACT.value))
    scorer = options.pop("kind")
    if "reference" not in fields:
        raise BadInput("reference", "is missing: say what is right")
    _REFERENCES[scorer](fields["reference"])
    most = fields.get("max_tokens", ANSWER_TOKENS)
    if not _is_whole(most) or not 1 <= most <= MOST_ANSWER_TOKENS:
        raise BadInput("max_tokens", f"must be from 1 to {MOST_ANSWER_TOKENS}")
    return Task(line, _input(fields), scorer, fields["reference"], answer_tokens=most, **options)


def _input(fields: dict[str, Any]) -> tuple[Message, ...]:
    asked = fields.get("input")
    if isinstance(asked, str) and asked.strip():
        return (Message(Role.USER, asked),)
    if not isinstance(asked, list):
        raise BadInput("input", "must be a question, or a list of messages")
    found = conversation(fields, "input")
    if found[-1].role is not Role.USER:
        raise BadInput(f"input[{len(found) - 1}].role", "the last message must be the user's")
    return found


def _scorer(value: Any) -> dict[str, Any]:
    """`kind` and what else it takes."""
    named = {"kind": value} if isinstance(value, str) else value
    if not isinstance(named, dict):
        raise BadInput("scorer", "must be a name, or an object with kind")
    if named.get("kind") not in list(Scorer):
        raise BadInput("scorer", f"must be one of {', '.join(Scorer)}")
    kind = Scorer(named["kind"])
    takes = ("kind", "tolerance", "relative") if kind is Scorer.NUMERIC else ("kind",)
    demand_known(named, takes, "scorer.")
    for name in takes[1:]:
        amount = named.get(name, 0.0)
        if not _is_number(amount) or amount < 0:
            raise BadInput(f"scorer.{name}", "must be a number of at least 0")
    return {**named, "kind": kind}


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _HUGE


def _texts(reference: Any) -> None:
    several = reference if isinstance(reference, list) else [reference]
    if not 1 <= len(several) <= REFERENCES or not all(
        isinstance(one, str) and one.strip() for one in several
    ):
        raise BadInput("reference", f"must be a text, or a list of 1 to {REFERENCES} texts")


def _text(reference: Any) -> None:
    if not isinstance(reference, str) or not reference.strip():
        raise BadInput("reference", "must be a text")


def _number(reference: Any) -> None:
    if not _is_number(reference):
        raise BadInput("reference", "must be a number")


def _any(reference: Any) -> None:
    """Every JSON value is one."""


_REFERENCES: dict[Scorer, Callable[[Any], None]] = {
    Scorer.EXACT: _texts,
    Scorer.CONTAINS: _texts,
    Scorer.NUMERIC: _number,
    Scorer.JSON_SCHEMA: demand_schema,
    Scorer.JSON_EQUALITY: _any,
    Scorer.EMBEDDING: _text,
    Scorer.JUDGE: _text,
}
