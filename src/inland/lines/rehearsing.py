"""A base's own answers, which it rehearses while it learns something else: asked through the
gateway as anybody's questions, kept as an asset, so that a run that was cut learns the same ones.
"""

import json
from functools import partial

from inland.decide.lines.rehearsal import ANSWER_TOKENS, QUESTIONS
from inland.domain.assets import AssetKind
from inland.domain.plant import Model
from inland.lines.keeping import Content, Keeper, Making
from inland.lines.questions import Questions, asked_together
from inland.lines.run_keys import RunKeys
from inland.lines.steps.step import Doing
from inland.ports.clock import Clock
from inland.ports.tokens import Answered, Asked, Tokens


class Rehearsals:
    """The rehearsals of one factory's runs."""

    def __init__(self, keeper: Keeper, tokens: Tokens, keys: RunKeys, clock: Clock) -> None:
        self._keeper = keeper
        self._questions = Questions(tokens, keys, clock)

    def of(self, doing: Doing, count: int, base: Model) -> tuple[str | None, tuple[str, ...]]:
        """The asset with up to so many answers, those of an earlier attempt of the run where there
        are some, and the receipts of what was asked for it. None where `count` is, or no answer
        ended by itself."""
        run = doing.run
        if not count:
            return None, ()
        if before := self._keeper.made(run, AssetKind.DATASET):
            return before[-1].id, ()
        calls = [partial(self._answered, doing, question) for question in QUESTIONS[:count]]
        answers = asked_together(doing, "rehearsal", calls)
        receipts = tuple(one.receipt for one in answers)
        pairs = zip(QUESTIONS, answers, strict=False)
        whole = [_example(asked, one.text) for asked, one in pairs if _is_whole(one)]
        doing.say(f"{len(whole)} answers of the base's own are rehearsed, of {count} asked for")
        if not whole:
            return None, receipts
        name = f"{run.line}-{run.id}-rehearsal"
        content = Content.of("".join(whole).encode())
        asset = self._keeper.keep(Making(run, (), base), AssetKind.DATASET, name, content)
        return asset, receipts

    def _answered(self, doing: Doing, question: str) -> Answered:
        asked = Asked(doing.line.base, (("user", question),), ANSWER_TOKENS)
        return self._questions.answered(doing, asked)


def _is_whole(answer: Answered) -> bool:
    """Whether it ended by itself: what is cut would teach to end in the middle."""
    return bool(answer.text.strip()) and answer.completion_tokens < ANSWER_TOKENS


def _example(question: str, answer: str) -> str:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": turns}) + "\n"
