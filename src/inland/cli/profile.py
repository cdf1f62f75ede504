"""A deployment's capacity as measured: the measuring watched, and the profile as people read it."""

from typing import TYPE_CHECKING, Any

from inland.adapters.files.clock import SystemClock
from inland.cli import show
from inland.cli.failures import Failed
from inland.cli.progress import steps_bar
from inland.cli.times import utc

if TYPE_CHECKING:
    from inland.client import FactoryClient

#: Pause between two looks at a measurement, and the most of them: more than one may last.
LOOK_EVERY_S, LOOKS = 0.3, 1000
_BAR_CHARS = 40
#: A model that is off by more than this somewhere is worth a word.
_FAR_OFF = 0.25


def measured(factory: "FactoryClient", name: str) -> dict[str, Any]:
    """Measure a deployment and wait until that is done. Raises Failed with why it was not."""
    clock = SystemClock()
    found = factory.measure_deployment(name)
    with steps_bar(f"Measuring {name}") as advance:
        for _ in range(LOOKS):
            advance(found["tried"], found["rungs"], found["doing"])
            if found["stage"] != "measuring":
                break
            clock.sleep(LOOK_EVERY_S)
            found = factory.measurement(name)
    if found["stage"] == "failed":
        raise Failed(found["why"])
    if found["stage"] != "done":
        raise Failed(f"measuring {name!r} does not end; see control's log")
    return {key: found[key] for key in ("replica", "rungs", "tried", "left_out")}


def show_profile(name: str, profile: dict[str, Any] | None) -> None:
    """As a table, with a bar for tokens/s."""
    if profile is None:
        show.line(f"Not measured as it stands; `inland deploy measure {name}` does.")
        return
    most = max(point["decode_tokens_per_s"] for point in profile["points"])
    columns = [
        ("PROMPT", show.field("prompt_tokens")),
        ("AT ONCE", show.field("concurrency")),
        ("STEP MS", lambda row: f"{row['step_s'] * 1000:.1f}"),
        ("READ TOKENS/S", lambda row: f"{row['prefill_tokens_per_s']:.0f}"),
        ("TOKENS/S", lambda row: f"{row['decode_tokens_per_s']:.0f}"),
        ("", lambda row: bar(row["decode_tokens_per_s"], most)),
    ]
    rungs = sorted(profile["points"], key=lambda row: (row["prompt_tokens"], row["concurrency"]))
    show.line(f"Capacity of one replica, measured {utc(profile['measured_unix_s'])},")
    show.line(f"of {profile['settings']}:")
    show.rows(rungs, columns, json_too=False)
    for line in _summary(profile):
        show.line(line)


def bar(value: float, most: float) -> str:
    """A bar as long as `value` is of `most`, to an eighth of a character."""
    eighths = round(_BAR_CHARS * 8 * value / most) if most > 0 else 0
    rest = " ▏▎▍▌▋▊▉"[eighths % 8]
    return "█" * (eighths // 8) + rest.strip()


def _summary(profile: dict[str, Any]) -> list[str]:
    model = profile["model"]
    ms = {part: seconds * 1000 for part, seconds in model.items()}
    step = (
        f"A step takes {ms['overhead_s']:.2f} ms, the larger of {ms['weights_s']:.2f} ms and"
        f" {ms['sequence_s']:.2f} ms a request, {ms['prompt_s']:.3f} ms a prompt token, and"
        f" {ms['context_s'] * 1000:.2f} µs a token kept."
    )
    fits = f"That explains {profile['r2']:.1%} (r²), and is off by {profile['error']:.0%} at most."
    lines = [f"Tokens/s stop growing at {profile['knee']} requests at once.", step, fits]
    if profile["refitted_unix_s"] is not None:
        lines.append(f"Live traffic corrected the model last on {utc(profile['refitted_unix_s'])}.")
    if profile["error"] > _FAR_OFF:
        lines.append("Something else kept the machine busy, or the engine: measure again.")
    if profile["beside_tokens"]:
        lines.append(
            f"It made {profile['beside_tokens']:,} tokens for others meanwhile, so it can do more;"
            " measure again at a quiet hour."
        )
    return lines
