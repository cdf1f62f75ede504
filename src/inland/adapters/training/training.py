"""An order followed: the base read, the examples, an adapter trained and written down twice."""

import hashlib
import json
import platform
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from inland.adapters.files.clock import SystemClock
from inland.adapters.training import base as bases
from inland.adapters.training import gguf_lora
from inland.adapters.training.learning import Lesson, learn
from inland.adapters.training.state import Counts, State, threads_of, write
from inland.adapters.training.tokens import Tokens, read
from inland.domain.errors import BadInput
from inland.domain.lines import MethodKind
from inland.ports.trainer import Checkpoint, Trained, TrainEvent, TrainOrder, TrainPlaces

_LIBRARIES = ("torch", "transformers", "peft", "gguf", "safetensors", "numpy")
_CHUNK_BYTES = 1 << 20


def train(order: TrainOrder, places: TrainPlaces, tell: Callable[[TrainEvent], None]) -> None:
    """Follow the order, telling of it. Raises BadInput where it cannot be followed."""
    clock = SystemClock()
    began_s = clock.monotonic()
    if order.checkpoint is not None:
        order = replace(order, threads=threads_of(order.checkpoint))
    _be_repeatable(order)
    parameters = _parameters(order)
    base = bases.load(order.base)
    lesson = _lesson(order, base)
    digest = _order_digest(order, parameters)
    state, between = _state(order, lesson, digest), order.method.checkpoint_steps

    def keep() -> None:
        step = state.counts.step
        if step % between == 0:
            place = step // between % len(places.checkpoints)
            data = state.saved()
            sha256 = write(places.checkpoints[place], data)
            tell(Checkpoint(place, step, len(data), sha256))

    learn(lesson, state, tell, keep)
    adapter = bases.adapter_bytes(lesson.model, order.method)
    gguf = gguf_lora.gguf(adapter, order.method.alpha, *bases.shape_of(base.model))
    tell(
        Trained(
            order=digest,
            adapter_sha256=write(places.adapter, adapter),
            adapter_bytes=len(adapter),
            gguf_sha256=write(places.gguf, gguf),
            gguf_bytes=len(gguf),
            steps=state.counts.step,
            planned=lesson.steps,
            loss=round(state.counts.loss, 6),
            holdout_loss=state.counts.holdout_loss,
            tokens=state.counts.tokens,
            seconds=round(clock.monotonic() - began_s, 2),
            parameters=parameters,
        )
    )


def _be_repeatable(order: TrainOrder) -> None:
    """The same sums in the same order: so many threads, and nothing chosen by chance."""
    torch.set_num_threads(order.threads)
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(order.method.seed)


def _lesson(order: TrainOrder, base: bases.Base) -> Lesson:
    method = order.method
    if method.kind is not MethodKind.LORA:
        raise BadInput("method", f"{method.kind} is not trained here yet; ask for lora")
    data = _examples((*order.data, *order.rehearsal), base, method.max_tokens)
    holdout = _examples(order.holdout, base, method.max_tokens)
    autocast = bases.speed_up(base.model)
    base.model.requires_grad_(requires_grad=False)
    if method.gradient_checkpointing:
        base.model.activation_checkpointing_enable({"use_reentrant": False})
    model = bases.with_adapter(base.model, method)
    if order.start_adapter is not None:
        bases.take_adapter(model, order.start_adapter, method)
    model.train()
    return Lesson(model, data, holdout, method, autocast)


def _examples(paths: Iterable[str], base: bases.Base, most: int) -> list[Tokens]:
    files = [(Path(path).name, Path(path).read_bytes()) for path in paths]
    return read(files, base.tokenizer, most)


def _state(order: TrainOrder, lesson: Lesson, digest: str) -> State:
    named = {name: part for name, part in lesson.model.named_parameters() if part.requires_grad}
    optimizer = torch.optim.AdamW(
        named.values(), lr=order.method.learning_rate, weight_decay=0.0, foreach=False
    )
    state = State(Counts(digest, order.threads), named, optimizer)
    if order.checkpoint is not None:
        state.restore(order.checkpoint)
    return state


def _parameters(order: TrainOrder) -> dict[str, Any]:
    return {
        "method": asdict(order.method),
        "targets": list(bases.TARGETS),
        "threads": order.threads,
        "bfloat16": bases.has_bfloat16(),
        "machine": platform.machine(),
        "libraries": {name: metadata.version(name) for name in _LIBRARIES},
    }


def _order_digest(order: TrainOrder, parameters: dict[str, Any]) -> str:
    """Of all that the outcome depends on, wherever it lies."""
    start = () if order.start_adapter is None else (order.start_adapter,)
    told = {
        "base": _digest(order.base),
        "data": [_digest(path) for path in order.data],
        "holdout": [_digest(path) for path in order.holdout],
        "rehearsal": [_digest(path) for path in order.rehearsal],
        "start": [_digest(path) for path in start],
        "parameters": parameters,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _digest(path: str) -> str:
    """SHA-256 of a file, hex."""
    found = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            found.update(chunk)
    return found.hexdigest()
