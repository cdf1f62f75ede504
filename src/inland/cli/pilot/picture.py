"""A story as a terminal shows it: what it came to, how long each step took, what was promised."""

from inland.cli.pilot.story import Played, Score, Story

_WIDTH = 40


def picture(story: Story) -> str:
    """Some lines."""
    asked, kept = story.given.asked, story.given.kept
    lines = ["", f"{asked}: notes that become exactly the right work order"]
    for name, score in told(story, asked):
        lines.append(_bar(name, score))
    lines += ["", f"{kept}: what it still knows"]
    for name, score in told(story, kept):
        lines.append(_bar(name, score))
    lines.append("")
    for one in story.rounds:
        steps = "  ".join(
            f"{step.kind} {step.seconds:.1f} s" for step in one.steps if step.seconds >= 0.05
        )
        lines.append(f"{one.round:<9} {outcome(one)}")
        lines.append(f"          {steps}")
    if story.answer:
        lines += [
            "",
            f"asked     {story.answer['question']}",
            f"answered  {story.answer['answer']}",
        ]
    lines.append("")
    for target in story.targets():
        held = "kept  " if target.holds else "MISSED"
        lines.append(f"{held}  {target.what}: {target.asked}; it is {target.got}")
    lines.append(f"\n{story.seconds:.0f} s in all")
    return "\n".join(lines)


def told(story: Story, suite: str) -> list[tuple[str, Score]]:
    """A suite's scores, from before anything was trained on."""
    first = story.rounds[0] if story.rounds else None
    found = [("base", first.before[suite])] if first and suite in first.before else []
    return found + [(one.round, one.after[suite]) for one in story.rounds if suite in one.after]


def outcome(one: Played) -> str:
    """In words."""
    if one.is_released:
        return f"released, live: {one.release}"
    return f"{one.state}: {one.why}" if one.why else one.state


def _bar(name: str, score: Score) -> str:
    """A bar to the score, thin where its interval is."""
    places = [min(int(at * _WIDTH + 0.5), _WIDTH) for at in (score.low, score.point, score.high)]
    low, point, high = places
    bar = "█" * low + "▓" * max(point - low, 0) + "░" * max(high - point, 0)
    return (
        f"  {name:<9} {bar:<{_WIDTH}} {score.point * 100:5.1f} % "
        f"({score.low * 100:.1f} to {score.high * 100:.1f})"
    )
