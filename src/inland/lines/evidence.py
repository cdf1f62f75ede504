"""What is known of what a run made, as it is signed: with its release, or with its refusal."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from inland import __version__
from inland.domain.lines import Run, Step, StepKind
from inland.domain.releases import Evidence
from inland.plant.release_orders import EVIDENCE_CHARS

#: The code that does the steps, by name and version.
CODE = f"inland {__version__}"
#: What an asset's digest is, under a key of its tenant's.
MAC = "hmac-sha256"
#: Of what a training came to, what is signed besides its parameters.
_TRAINED = ("order", "digest", "safetensors", "loss", "holdout_loss", "tokens", "seconds")


def evidence_of(run: Run, steps: Mapping[StepKind, Step], code: str) -> Evidence:
    """As far as its steps went. `code`: what did them."""
    materials = run.materials
    return Evidence(
        run=run.id,
        code=code,
        data=tuple(f"{MAC}:{one.digest}" for one in (*materials.train, *materials.holdout)),
        parameters=_parameters(run, steps.get(StepKind.TRAIN)),
        scores={
            **_scores("", steps.get(StepKind.EVALUATE)),
            **_scores("serving ", steps.get(StepKind.BASELINE)),
        },
        gate=_verdict(steps.get(StepKind.GATE)),
    )


def _parameters(run: Run, train: Step | None) -> dict[str, str]:
    """Of the training, and which file declared it: the record of whoever added the line has its
    digest."""
    method = {} if train is None else train.inputs.get("method") or {}
    trained = {} if train is None else train.outputs
    return {
        "line": run.line,
        "line_sha256": sha256(run.text.encode()).hexdigest(),
        **{name: str(value) for name, value in method.items()},
        **{f"trained.{name}": str(trained[name]) for name in _TRAINED if name in trained},
    }


def _scores(whose: str, step: Step | None) -> dict[str, str]:
    scores: dict[str, Any] = {} if step is None else step.outputs.get("scores", {})
    return {
        f"{whose}{name}": f"{one['point']:.3f} ({one['low']:.3f} to {one['high']:.3f}, "
        f"{one['count']} tasks)"
        for name, one in scores.items()
    }


def _verdict(step: Step | None) -> str:
    """Empty where it was not asked."""
    if step is None or not step.outputs:
        return ""
    told = "; ".join(str(one["why"]) for one in step.outputs["findings"])
    return f"{'passed' if step.outputs['passed'] else 'refused'}: {told}"[:EVIDENCE_CHARS]
