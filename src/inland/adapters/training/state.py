"""Where training is: all that the next step depends on, as one file of safetensors.

Whoever goes on from it ends with the same bytes as whoever was never stopped.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from inland.domain.errors import BadInput

_PARTS = ("adapter", "exp_avg", "exp_avg_sq", "best")


@dataclass(slots=True)
class Counts:
    """`order`: of which order, by its digest. `threads`: it is computed on. `step`: taken.
    `holdout_loss`: as last measured, `best_loss`: its lowest; `worse`: epochs since then. `tokens`:
    trained on."""

    order: str
    threads: int
    step: int = 0
    tokens: int = 0
    loss: float = 0.0
    holdout_loss: float | None = None
    best_loss: float | None = None
    worse: int = 0
    stopped: bool = False


@dataclass(slots=True)
class State:
    """`named`: what is trained. `best`: as it was where the holdout's loss was lowest."""

    counts: Counts
    named: dict[str, torch.nn.Parameter]
    optimizer: torch.optim.AdamW
    best: dict[str, torch.Tensor] = field(default_factory=dict)

    def keep_best(self) -> None:
        """What is trained is the best so far."""
        self.best = {name: part.detach().clone() for name, part in self.named.items()}

    def take_best(self) -> None:
        """Go back to the best, if one was kept."""
        with torch.no_grad():
            for name, part in self.best.items():
                self.named[name].copy_(part)

    def saved(self) -> bytes:
        """All of it."""
        parts: dict[str, torch.Tensor] = {}
        for name, parameter in self.named.items():
            kept = self.optimizer.state.get(parameter, {})
            parts[f"adapter {name}"] = parameter.detach()
            for moment in ("exp_avg", "exp_avg_sq"):
                if moment in kept:
                    parts[f"{moment} {name}"] = kept[moment]
        parts |= {f"best {name}": part for name, part in self.best.items()}
        told = json.dumps(asdict(self.counts), sort_keys=True)
        return save({n: p.contiguous().clone() for n, p in parts.items()}, {"counts": told})

    def restore(self, path: str) -> None:
        """Be where `path` says. Raises BadInput where that is of another order, or no state."""
        read: dict[str, dict[str, torch.Tensor]] = {part: {} for part in _PARTS}
        try:
            with safe_open(path, framework="pt") as file:
                counts = Counts(**json.loads((file.metadata() or {})["counts"]))
                for key in file.keys():
                    part, _, name = key.partition(" ")
                    # A copy: what is read is mapped, and the file will be written anew.
                    read[part][name] = file.get_tensor(key).clone()
        except (OSError, KeyError, ValueError, TypeError, SafetensorError) as error:
            raise BadInput("checkpoint", f"is no checkpoint: {error}") from None
        if counts.order != self.counts.order or read["adapter"].keys() != self.named.keys():
            raise BadInput("checkpoint", "is of another order: begin without it")
        self.counts, self.best = counts, read["best"]
        with torch.no_grad():
            for name, parameter in self.named.items():
                parameter.copy_(read["adapter"][name])
                self.optimizer.state[parameter] = self._moments(name, read)

    def _moments(self, name: str, read: dict[str, dict[str, torch.Tensor]]) -> dict[str, Any]:
        if name not in read["exp_avg"]:
            return {}
        step = torch.tensor(float(self.counts.step))
        moments = {moment: read[moment][name] for moment in ("exp_avg", "exp_avg_sq")}
        return {"step": step, **moments}


def threads_of(checkpoint: str) -> int:
    """On how many it was computed until there: on others, sums would be others. Raises BadInput."""
    try:
        with safe_open(checkpoint, framework="pt") as file:
            return int(json.loads((file.metadata() or {})["counts"])["threads"])
    except (OSError, KeyError, ValueError, TypeError, SafetensorError) as error:
        raise BadInput("checkpoint", f"is no checkpoint: {error}") from None


def write(path: str, data: bytes) -> str:
    """`data` in the file at `path`, which may be in memory and keep its length; its SHA-256. Raises
    BadInput where the file cannot be long enough."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        try:
            file.truncate(len(data))
        except PermissionError:  # its length is sealed
            if (most := os.fstat(descriptor).st_size) < len(data):
                why = f"makes a file of {len(data)} bytes, and the one it is to write has {most}"
                raise BadInput("method", why) from None
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    return hashlib.sha256(data).hexdigest()
