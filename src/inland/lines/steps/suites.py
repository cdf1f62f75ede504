"""Suites: each one's tasks asked of a model through the gateway, and scored.

Every question is the run's: decided, metered, on the books, its receipt kept. Tasks are read and
answers scored where nothing else is; of the answers only what they are worth is kept.
"""

import json
from functools import partial
from typing import Any

from inland.domain.assets import Action
from inland.domain.errors import BadInput
from inland.domain.lines import Material
from inland.lines.questions import Questions, asked_together
from inland.lines.reading import Readers, Use, place
from inland.lines.run_keys import RunKeys
from inland.lines.steps.step import Doing, Outcome
from inland.ports.clock import Clock
from inland.ports.tokens import Answered, Asked, Tokens

_ANSWERS = "answers"


class Suites:
    """How good a model is, by the suites of a line."""

    def __init__(
        self, readers: Readers, tokens: Tokens, keys: RunKeys, clock: Clock, most: int
    ) -> None:
        """`most`: tasks of one suite."""
        self._readers = readers
        self._questions = Questions(tokens, keys, clock)
        self._most = most

    def scored(self, doing: Doing, model: str) -> Outcome:
        """What `model` scores. Raises what asking and reading do."""
        scores: dict[str, Any] = {}
        receipts: list[str] = []
        for suite, material in zip(doing.line.suites, doing.run.materials.suites, strict=True):
            tasks = self._tasks(doing, suite.name, material)
            calls = [partial(self._answered, doing, model, task) for task in tasks]
            answered = asked_together(doing, suite.name, calls)
            receipts += [one.receipt for one in answered]
            scored = self._worth(doing, material, [one.text for one in answered])
            scores[suite.name] = scored
            doing.say(
                f"suite {suite.name}: {scored['point']:.3f} "
                f"({scored['low']:.3f} to {scored['high']:.3f}, {scored['count']} tasks)"
            )
        return Outcome({"model": model, "scores": scores}, tuple(receipts))

    def _tasks(self, doing: Doing, name: str, suite: Material) -> list[Any]:
        tasks: list[Any] = self._read(doing, suite, "ask")
        if len(tasks) > self._most:
            why = f"has {len(tasks)} tasks; limits.suite_tasks in factory.toml allows {self._most}"
            raise BadInput(f"suite {name}", why)
        return tasks

    def _worth(self, doing: Doing, suite: Material, answers: list[str]) -> dict[str, Any]:
        data = json.dumps(answers).encode()
        told: dict[str, Any] = self._read(doing, suite, "score", {_ANSWERS: data})
        return told

    def _read(
        self, doing: Doing, suite: Material, what: str, more: dict[str, bytes] | None = None
    ) -> Any:
        words = [what, "suite", f"={suite.name}", place(suite.asset)]
        words += [word for name in more or {} for word in (name, f"={name}", place(name))]
        uses = [Use(suite.asset, Action.EVALUATE)]
        return self._readers.read(doing.run.id, doing.run.tenant, uses, words, more)

    def _answered(self, doing: Doing, model: str, task: Any) -> Answered:
        messages = tuple((str(role), str(content)) for role, content in task["messages"])
        asked = Asked(model, messages, int(task["max_tokens"]))
        try:
            return self._questions.answered(doing, asked)
        except BadInput as error:
            raise BadInput(f"suite task in line {task['line']}", error.why) from None
