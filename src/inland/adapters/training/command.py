"""The trainer's command line: an order as words, and words as an order.

A path is a word of its own, so that whoever shuts the trainer in can put others in their place.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from inland.domain.lines import Method, MethodKind, Start
from inland.ports.trainer import TrainOrder, TrainPlaces

MODULE = "inland.adapters.training"
#: Instead of an order: say what of a trainer is here (`installed.account`).
ACCOUNT = "--account"


def words(order: TrainOrder, places: TrainPlaces) -> list[str]:
    """What follows `python -m inland.adapters.training`."""
    found = ["--base", order.base, "--method", json.dumps(asdict(order.method))]
    found += ["--threads", str(order.threads)]
    for name, paths in (("data", order.data), ("holdout", order.holdout)):
        found += [word for path in paths for word in (f"--{name}", path)]
    found += [word for path in order.rehearsal for word in ("--rehearsal", path)]
    for name, path in (("start-adapter", order.start_adapter), ("checkpoint", order.checkpoint)):
        found += [] if path is None else [f"--{name}", path]
    found += ["--checkpoints", *places.checkpoints]
    return [*found, "--adapter", places.adapter, "--gguf", places.gguf]


def parsed(argv: Sequence[str]) -> tuple[TrainOrder, TrainPlaces]:
    """The order that `words` made. Ends the program with a line of why where there is none."""
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", allow_abbrev=False)
    for name in ("base", "method", "adapter", "gguf"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("data", "holdout", "rehearsal"):
        parser.add_argument(f"--{name}", action="append", default=[])
    for name in ("start-adapter", "checkpoint"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--checkpoints", nargs=2, required=True)
    parser.add_argument("--threads", type=int, required=True)
    told = parser.parse_args(argv)
    method = json.loads(told.method)
    kinds = {"kind": MethodKind(method["kind"]), "start": Start(method["start"])}
    order = TrainOrder(
        base=told.base,
        data=tuple(told.data),
        holdout=tuple(told.holdout),
        method=Method(**{**method, **kinds}),
        threads=told.threads,
        start_adapter=told.start_adapter,
        rehearsal=tuple(told.rehearsal),
        checkpoint=told.checkpoint,
    )
    one, two = told.checkpoints
    return order, TrainPlaces((one, two), told.adapter, told.gguf)
