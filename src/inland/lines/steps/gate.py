"""The gate: what was measured, held to what the line asks."""

from dataclasses import asdict

from inland.decide.lines.gate import Scores, judge
from inland.domain.lines import StepKind
from inland.lines.steps.step import Doing, Outcome

#: Of the bootstrap where no training said one.
_SEED = 1


def gate(doing: Doing) -> Outcome:
    """Passes, or refuses with every reason."""
    method = doing.line.method
    verdict = judge(
        doing.line.gate,
        _scores(doing, StepKind.EVALUATE),
        _scores(doing, StepKind.BASELINE),
        (),
        _SEED if method is None else method.seed,
    )
    for finding in verdict.findings:
        doing.say(str(finding))
    outputs = {"passed": verdict.passed, "findings": [asdict(one) for one in verdict.findings]}
    return Outcome(outputs, refused="; ".join(verdict.refusals))


def _scores(doing: Doing, kind: StepKind) -> Scores:
    step = doing.steps.get(kind)
    told = {} if step is None else step.outputs.get("scores", {})
    return {name: tuple(one["values"]) for name, one in told.items()}
