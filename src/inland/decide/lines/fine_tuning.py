"""Fine-tuning jobs, as OpenAI's API asks for them: a line's file is made of each, which is all that
is kept of it. What nobody chose is as the lines in examples/ have it.
"""

import json
from dataclasses import dataclass, field
from importlib.resources import files as package_files

from inland.domain.assets import ASSET
from inland.domain.errors import BadInput
from inland.domain.ids import NAME_CHARS, is_name
from inland.domain.lines import Method

#: Where a job says "auto".
EPOCHS, BATCH = 3, 4
#: The base's own answers that are trained on too, and how much of the suite may be forgotten.
REHEARSAL, LOST_MOST = 10, 0.15
#: The suite that jobs are held to, by name: the tenant's, or else what is shipped.
SUITE = "fine-tuning"
SUFFIX_CHARS, DRAWN_CHARS = 40, 8
_PREFIX = "ft-"
#: What a multiplier of 1 is, of bases with which another rate than the usual one was tried.
_LEARNING_RATES = {
    "sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53": 1.5e-3  # SmolLM2
}
#: What a field of the line is called by who asks for a job.
FIELDS = {
    "base": "model",
    "method.epochs": "hyperparameters.n_epochs",
    "method.batch": "hyperparameters.batch_size",
    "method.learning_rate": "hyperparameters.learning_rate_multiplier",
    "method.seed": "seed",
    "release.name": "suffix",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A job asked for. `training`, `validation`: assets. `epochs`, `batch`, `rate`: None for auto;
    the last multiplies the base's learning rate."""

    model: str
    training: str
    seed: int
    validation: str | None = None
    suffix: str = ""
    epochs: int | None = None
    batch: int | None = None
    rate: float | None = None
    metadata: dict[str, str] = field(default_factory=dict)


def shipped_suite() -> bytes:
    """Fifty questions of general knowledge, which a base is not to forget."""
    packaged = package_files("inland.decide.evaluation").joinpath("general-knowledge.jsonl")
    return packaged.read_bytes()


def learning_rate(base: str | None) -> float:
    """What a multiplier of 1 is for a base of that digest."""
    return _LEARNING_RATES.get(base or "", Method().learning_rate)


def model_name(base: str, suffix: str, drawn: str) -> str:
    """`ft-BASE-SUFFIX-ID`, of which a long base has its beginning alone. Raises BadInput."""
    if suffix and not (is_name(suffix) and len(suffix) <= SUFFIX_CHARS):
        why = "use a-z, 0-9, '.', '_' and '-', a letter or digit first and last, at most "
        raise BadInput("suffix", f"{why}{SUFFIX_CHARS}")
    last = f"-{suffix}-{drawn}" if suffix else f"-{drawn}"
    room = NAME_CHARS - len(_PREFIX) - len(last)
    return f"{_PREFIX}{base[:room].rstrip('._-')}{last}"


def line_text(name: str, wanted: Wanted, base: str | None) -> str:
    """The file of its line, which releases what passed under its own name. `base`: the digest."""
    rate = learning_rate(base) * (1.0 if wanted.rate is None else wanted.rate)
    holdout = [] if wanted.validation is None else [f"{ASSET}{wanted.validation}"]
    pairs = [f"{_quoted(one)} = {_quoted(text)}" for one, text in wanted.metadata.items()]
    return "\n".join(
        [
            f"name = {_quoted(name)}",
            f"base = {_quoted(wanted.model)}",
            "once = true",
            "",
            "[data]",
            f"train = [{_quoted(ASSET + wanted.training)}]",
            f"holdout = [{', '.join(map(_quoted, holdout))}]",
            "",
            "[method]",
            'kind = "lora"',
            f"epochs = {EPOCHS if wanted.epochs is None else wanted.epochs}",
            f"batch = {BATCH if wanted.batch is None else wanted.batch}",
            f"learning_rate = {rate!r}",
            f"rehearsal = {REHEARSAL}",
            f"seed = {wanted.seed}",
            "",
            "[[suite]]",
            f"name = {_quoted(SUITE)}",
            f"asset = {_quoted(SUITE)}",
            "",
            "[[gate.regression]]",
            f"suite = {_quoted(SUITE)}",
            f"most = {LOST_MOST}",
            "",
            "[release]",
            f"name = {_quoted(name)}",
            'approve = "gate"',
            "",
            "[metadata]",
            *pairs,
            "",
        ]
    )


def _quoted(text: str) -> str:
    """As TOML has it, whose strings are JSON's but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
