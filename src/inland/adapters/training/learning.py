"""The loop: epochs of steps over shuffled examples, the holdout measured after each epoch.

Everything that a step depends on is in its number, the order and the state, so that it can be taken
again. A step's loss is the mean over its learned tokens, however they are packed.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from inland.adapters.files.clock import SystemClock
from inland.adapters.training.rows import Row, rows
from inland.adapters.training.state import State
from inland.adapters.training.tokens import Tokens
from inland.domain.lines import Method
from inland.ports.trainer import Progress

#: Of all steps, those in which the learning rate rises.
WARM_UP = 0.06
#: No step goes further than this (the gradient's norm).
GRADIENT_NORM = 1.0
#: The holdout is measured on so many examples at most, drawn once.
HOLDOUT_EXAMPLES = 48


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learned: by `model` (of PEFT), from `examples`, held to `holdout`."""

    model: Any
    examples: Sequence[Tokens]
    holdout: Sequence[Tokens]
    method: Method
    autocast: bool

    @property
    def steps_an_epoch(self) -> int:
        """The last one of an epoch may be of fewer examples."""
        return math.ceil(len(self.examples) / self.method.batch)

    @property
    def steps(self) -> int:
        """All that are planned."""
        return self.steps_an_epoch * self.method.epochs


def learn(
    lesson: Lesson, state: State, tell: Callable[[Progress], None], keep: Callable[[], None]
) -> None:
    """From where `state` is to the end. `tell` after each step, `keep` where a checkpoint may be
    kept: between steps."""
    clock, began_step, began_tokens = SystemClock(), state.counts.step, state.counts.tokens
    began_s = clock.monotonic()
    while _left(lesson, state):
        _step(lesson, state)
        if state.counts.step % lesson.steps_an_epoch == 0:
            _epoch_ended(lesson, state)
        took_s = max(clock.monotonic() - began_s, 1e-9)
        done = state.counts.step - began_step
        tell(
            Progress(
                step=state.counts.step,
                steps=lesson.steps,
                loss=round(state.counts.loss, 6),
                holdout_loss=state.counts.holdout_loss,
                tokens_per_s=round((state.counts.tokens - began_tokens) / took_s, 1),
                seconds_left=round(took_s / done * _left(lesson, state), 1),
            )
        )
        keep()
    if lesson.method.patience:
        state.take_best()


def _left(lesson: Lesson, state: State) -> int:
    """Steps still to be taken."""
    return 0 if state.counts.stopped else lesson.steps - state.counts.step


def _step(lesson: Lesson, state: State) -> None:
    packed = list(rows(_batch(lesson, state.counts.step), _most(lesson), packing=_packs(lesson)))
    learned = sum(len(row.wanted) for row in packed)
    total = 0.0
    for group in state.optimizer.param_groups:
        group["lr"] = _rate(lesson, state.counts.step)
    state.optimizer.zero_grad(set_to_none=True)
    for row in packed:
        loss = _loss(lesson, row) / learned
        loss.backward()
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(list(state.named.values()), GRADIENT_NORM, foreach=False)
    state.optimizer.step()
    state.counts.step += 1
    state.counts.tokens += sum(row.tokens for row in packed)
    state.counts.loss = total


def _most(lesson: Lesson) -> int:
    return lesson.method.max_tokens


def _packs(lesson: Lesson) -> bool:
    return lesson.method.packing


def _batch(lesson: Lesson, step: int) -> list[Tokens]:
    """The examples of a step: each epoch has all of them, in an order of its own."""
    epoch, at = divmod(step, lesson.steps_an_epoch)
    order = list(range(len(lesson.examples)))
    _chance(f"{lesson.method.seed} {epoch}").shuffle(order)
    size = lesson.method.batch
    return [lesson.examples[one] for one in order[at * size : (at + 1) * size]]


def _rate(lesson: Lesson, step: int) -> float:
    """Up to the method's, then down to nearly nothing (a cosine)."""
    rising = max(1, round(lesson.steps * WARM_UP))
    if step < rising:
        return lesson.method.learning_rate * (step + 1) / rising
    gone = (step - rising) / max(1, lesson.steps - rising)
    return lesson.method.learning_rate * 0.5 * (1.0 + math.cos(math.pi * gone))


def _loss(lesson: Lesson, row: Row) -> Any:
    """The sum over a row's learned tokens. Nothing else is foretold: the vocabulary's matrix is a
    fifth of a small model's work."""
    with torch.autocast("cpu", torch.bfloat16, enabled=lesson.autocast):
        found = lesson.model(
            input_ids=row.ids,
            position_ids=row.positions,
            attention_mask=row.mask,
            logits_to_keep=row.before,
            use_cache=False,
        )
    return torch.nn.functional.cross_entropy(found.logits[0].float(), row.wanted, reduction="sum")


def _epoch_ended(lesson: Lesson, state: State) -> None:
    counts = state.counts
    if not lesson.holdout:
        return
    counts.holdout_loss = round(_holdout_loss(lesson), 6)
    if counts.best_loss is None or counts.holdout_loss < counts.best_loss:
        counts.best_loss, counts.worse = counts.holdout_loss, 0
        if lesson.method.patience:
            state.keep_best()
        return
    counts.worse += 1
    counts.stopped = 0 < lesson.method.patience <= counts.worse


def _holdout_loss(lesson: Lesson) -> float:
    drawn = list(lesson.holdout)
    _chance(str(lesson.method.seed)).shuffle(drawn)
    total, learned = 0.0, 0
    with torch.no_grad():
        for row in rows(drawn[:HOLDOUT_EXAMPLES], _most(lesson), packing=_packs(lesson)):
            total += _loss(lesson, row).item()
            learned += len(row.wanted)
    return total / learned


def _chance(seed: str) -> random.Random:
    """The same each time."""
    return random.Random(seed)  # noqa: S311 - nothing is kept secret by it
