"""A story as one page that somebody reads and keeps: no script, nothing loaded."""

from collections.abc import Iterable
from html import escape

from inland.cli.pilot.picture import outcome, told
from inland.cli.pilot.story import Score, Story

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff;
  max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
.quiet { color: #57606a; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; }
thead th { border-bottom: 1px solid #d0d7de; }
.missed { color: #cf222e; font-weight: 600; } .kept { color: #1a7f37; font-weight: 600; }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: 1.4rem; }
@media print { body { margin: 0; max-width: none; } svg rect { print-color-adjust: exact; } }
"""


def page(story: Story) -> str:
    """The whole page."""
    asked, kept = story.given.asked, story.given.kept
    parts = [
        f"<h1>A pilot of line {escape(story.given.name)}</h1>",
        f'<p class="quiet">{story.seconds:.0f} seconds in all, on made-up data.</p>',
        "<h2>What was promised</h2>",
        _table(
            ("", "promised", "got", ""),
            (
                (
                    escape(one.what),
                    escape(one.asked),
                    escape(one.got),
                    '<span class="kept">kept</span>'
                    if one.holds
                    else '<span class="missed">missed</span>',
                )
                for one in story.targets()
            ),
        ),
        f"<h2>{escape(asked)}: notes that become exactly the right work order</h2>",
        _bars(told(story, asked)),
        f"<h2>{escape(kept)}: what it still knows</h2>",
        _bars(told(story, kept)),
        "<h2>Rounds</h2>",
        _rounds(story),
        _answer(story),
        "<h2>Verified by the single file</h2>",
        _proofs(story),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Pilot of {escape(story.given.name)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>"
    )


def _bars(scores: list[tuple[str, Score]]) -> str:
    rows = (
        (
            escape(name),
            f"{score.point * 100:.1f} %",
            f"{score.low * 100:.1f} to {score.high * 100:.1f}",
            _bar(name, score),
        )
        for name, score in scores
    )
    return _table(("", "score", "95 % interval", ""), rows)


def _bar(name: str, score: Score) -> str:
    low, point, high = (one * 100 for one in (score.low, score.point, score.high))
    label = f"{name}: {point:.1f} %, between {low:.1f} and {high:.1f}"
    shown = f'viewBox="0 0 100 10" preserveAspectRatio="none" aria-label="{escape(label)}"'
    return (
        f'<svg role="img" {shown}>'
        f'<rect width="100" height="10" fill="#eaeef2"/>'
        f'<rect width="{point:.2f}" height="10" fill="#0969da"/>'
        f'<rect x="{low:.2f}" y="4" width="{high - low:.2f}" height="2" fill="#1b1f24"/></svg>'
    )


def _rounds(story: Story) -> str:
    rows = (
        (
            escape(one.round),
            f"{escape(outcome(one))}<br><code>run {escape(one.run)}</code>",
            "<br>".join(f"{escape(step.kind)}: {step.seconds:.1f} s" for step in one.steps),
        )
        for one in story.rounds
    )
    return _table(("round", "what became of it", "steps"), rows)


def _answer(story: Story) -> str:
    if not story.answer:
        return ""
    asked, answered = escape(story.answer["question"]), escape(story.answer["answer"])
    return (
        f"<h2>One question</h2><p>{asked}</p><p><code>{answered}</code></p>"
        f'<p class="quiet">receipt <code>{escape(story.answer["receipt"])}</code></p>'
    )


def _proofs(story: Story) -> str:
    proofs = [(one.round, one.proof) for one in story.rounds if one.proof]
    rows = (
        (
            escape(name),
            str(proof["receipts"]),
            f"<code>{escape(proof['statement'])}</code>",
            f"<code>{escape(proof['approved_by'])}</code>"
            if "approved_by" in proof
            else f"refused by the {escape(proof['refused_by'])}",
        )
        for name, proof in proofs
    )
    return _table(("round", "receipts", "what was signed (SHA-256)", "approved by"), rows)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Of cells that are HTML."""
    head = "".join(f"<th>{one}</th>" for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{one}</td>" for one in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
