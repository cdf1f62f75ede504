"""What reads a run's assets, alone in its cell: `python -m inland.bootstrap.evaluation`.

Words: what is asked, then of each file its role, `=` and how people know it, and where it lies. The
last line it prints is JSON. What is wrong with the data is an answer, not a failure of its own.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inland.decide import batch_file
from inland.decide.evaluation import intervals, scorers, suite
from inland.decide.evaluation.leakage import leaks
from inland.domain import chat
from inland.domain.errors import BadInput
from inland.domain.json_lines import BadLines

#: Of the bootstrap: whoever has the scores gets the same interval.
SEED = 1
#: Bad lines and leaks that are told of one file, and characters of why.
_TOLD, _WHY_CHARS = 5, 300
_ASKING = frozenset({suite.Scorer.EMBEDDING, suite.Scorer.JUDGE})
_MEND = "mend the file and add it again under the same name (inland asset add)"


@dataclass(frozen=True, slots=True)
class File:
    """One of the files it was given."""

    role: str
    name: str
    data: bytes


def check(files: Sequence[File]) -> dict[str, Any]:
    """All that is wrong with them, as (about, why, remedy), and how much there is of each."""
    findings: list[tuple[str, str, str]] = []
    counts: dict[str, int] = {}
    asked: dict[str, list[tuple[File, list[str]]]] = {"train": [], "holdout": [], "suite": []}
    for file in files:
        try:
            questions = _questions(file, findings)
        except BadLines as bad:
            findings += [(f"{file.role} {file.name}", one, _MEND) for one in _told(bad)]
            continue
        asked[file.role].append((file, questions))
        counts[f"{file.role} {file.name}"] = len(questions)
    trained = [one for _, questions in asked["train"] for one in questions]
    for file, questions in (*asked["holdout"], *asked["suite"]):
        if trained:
            findings += _leaking(file, trained, questions)
    return {"findings": findings, "counts": counts}


def ask(files: Sequence[File]) -> list[dict[str, Any]]:
    """What a suite's tasks ask."""
    (file,) = files
    return [
        {
            "line": task.line,
            "messages": [[one.role.value, one.content] for one in task.messages],
            "max_tokens": task.answer_tokens,
        }
        for task in suite.tasks(file.name, file.data)
    ]


def score(files: Sequence[File]) -> dict[str, Any]:
    """What the answers to a suite's tasks are worth, in the suite's order."""
    asked, given = files
    tasks, answers = suite.tasks(asked.name, asked.data), json.loads(given.data)
    pairs = zip(tasks, answers, strict=True)
    values = [scorers.score(task, answer).value for task, answer in pairs]
    found = intervals.mean(values, SEED)
    told = {"point": found.point, "low": found.low, "high": found.high, "count": found.count}
    return {**told, "values": values}


def batch(files: Sequence[File]) -> dict[str, Any]:
    """How many requests a batch's input has, and what is wrong with it."""
    given, asked = files[0], json.loads(files[1].data)
    bounds = batch_file.Bounds(asked["requests"], asked["line_bytes"])
    total, found = batch_file.flaws(given.data, asked["endpoint"], bounds)
    return {"total": total, "flaws": [asdict(one) for one in found]}


def requests(files: Sequence[File]) -> list[list[Any]]:
    """Requests of a batch's input, from one on: number, custom id, body as it was written."""
    given, asked = files[0], json.loads(files[1].data)
    bounds = batch_file.Bounds(asked["requests"], asked["line_bytes"])
    first, most_bytes = asked["first"], asked["page_bytes"]
    found = batch_file.page(given.data, asked["endpoint"], bounds, first, most_bytes)
    return [[one.number, one.custom_id, one.body] for one in found]


def _questions(file: File, findings: list[tuple[str, str, str]]) -> list[str]:
    """What it asks. Raises BadLines."""
    if file.role != "suite":
        return [one.question for one in chat.examples(file.name, file.data)]
    tasks = suite.tasks(file.name, file.data)
    for task in tasks:
        if task.scorer in _ASKING:
            why = f"line {task.line}: scorer {task.scorer.value} asks a model of its own"
            remedy = "lines have none yet: use exact, contains, numeric or one of JSON's"
            findings.append((f"suite {file.name}", why, remedy))
            break
    return [task.question for task in tasks]


def _leaking(file: File, trained: list[str], questions: list[str]) -> list[tuple[str, str, str]]:
    found = leaks(trained, questions)
    if not found:
        return []
    told = ", ".join(
        f"question {one.holdout + 1} is {one.likeness:.0%} training question {one.train + 1}"
        for one in found[:_TOLD]
    )
    more = f", and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    why = f"leaks: {len(found)} of its questions are in the training data: {told}{more}"
    return [(f"{file.role} {file.name}", why, "take them out of one or the other")]


def _told(bad: BadLines) -> list[str]:
    told = [f"line {one.line}: {one.field}: {one.why}"[:_WHY_CHARS] for one in bad.lines[:_TOLD]]
    more = len(bad.lines) - _TOLD
    return [*told, f"{more} more lines are wrong"] if more > 0 else told


_WORK: dict[str, Callable[[Sequence[File]], Any]] = {
    "check": check,
    "ask": ask,
    "score": score,
    "batch": batch,
    "requests": requests,
}


def said(words: Sequence[str]) -> str:
    """What it prints."""
    what, *rest = words
    triples = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
    files = [File(role, name[1:], Path(path).read_bytes()) for role, name, path in triples]
    try:
        told = _WORK[what](files)
    except BadInput as error:
        told = {"refused": str(error)[:_WHY_CHARS], "field": error.field}
    return json.dumps(told)


if __name__ == "__main__":
    print(said(sys.argv[1:]))  # noqa: T201 - this is how it answers
