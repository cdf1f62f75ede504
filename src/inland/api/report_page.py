"""A report as one page that a customer reads, keeps and prints: no script, nothing loaded."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import groupby

from inland.decide.verdicts import Cause, Verdict
from inland.domain.contracts import MINUTE_S
from inland.plant.reports import ContractMonth, Report

_DAY_S = 86_400
_DAY_MINUTES = _DAY_S // MINUTE_S
#: Stretches of breached minutes that are listed; the JSON has every minute.
LISTED = 200

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff;
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
p.quiet, .quiet { color: #57606a; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .15rem .6rem .15rem 0; vertical-align: top; }
thead th { border-bottom: 1px solid #d0d7de; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }
dt { color: #57606a; } dd { margin: 0; }
.kept { font-size: 2rem; font-weight: 600; margin: .5rem 0 0; }
.days th { width: 2.2rem; font-weight: 400; padding: 0; } .days td { padding: 0; }
.days svg { display: block; width: 100%; height: .8rem; }
svg rect { shape-rendering: crispEdges; }
.key svg { width: 1.6rem; height: .8rem; vertical-align: -.1rem; margin: 0 .3rem 0 1rem; }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }
@media print {
  body { margin: 0; max-width: none; font-size: 11px; }
  section { break-before: page; } section:first-of-type { break-before: auto; }
  tr, dl { break-inside: avoid; } h2, h3 { break-after: avoid; }
  svg rect { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
#: Colour, top and height of a minute in the picture: told apart without colour as well.
_DRAWN: dict[Cause | None, tuple[str, int, int]] = {
    None: ("#2da44e", 6, 3),
    Cause.OVER_CONTRACT: ("#bf8700", 4, 6),
    Cause.CAPACITY_LOST: ("#cf222e", 0, 10),
    Cause.ENGINE_SLOW: ("#cf222e", 0, 10),
}
_MEANING = {
    Cause.OVER_CONTRACT: "More was asked for than was bought; what was bought was served.",
    Cause.CAPACITY_LOST: "Something within the contract was refused, failed or was cut.",
    Cause.ENGINE_SLOW: "All was served, but the first tokens or the rate came short.",
}


def page(report: Report, vkey: str) -> str:
    """The whole page. `vkey`: the log's public key as text, for whoever checks the report."""
    name = escape(report.month.name)
    sections = "".join(_section(report, one) for one in report.contracts)
    nothing = "" if sections else "<p>No contract was in force.</p>"
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Contracts, {name}</title><style>{_STYLE}</style></head><body>"
        f"<h1>Contracts, {name}</h1>"
        f'<p class="quiet">Made from the records on the books as of {_moment(report.as_of_unix_s)}.'
        f"{_open(report)} Days and minutes are UTC.</p>"
        f"{sections}{nothing}{_check(report, vkey)}</body></html>\n"
    )


def _section(report: Report, one: ContractMonth) -> str:
    contract = one.contract
    return (
        f"<section><h2>{escape(contract.tenant)} on {escape(contract.deployment)}</h2>"
        f"{_kept(one)}{_terms(one)}{_figures(one)}{_days(report, one)}{_breaches(one)}</section>"
    )


def _kept(one: ContractMonth) -> str:
    """The figure that matters, rounded down so that nothing short of all reads as all."""
    exercised, causes = len(one.verdicts), one.causes()
    if not exercised:
        return '<p class="kept">Not exercised</p>'
    kept = causes[None] + causes[Cause.OVER_CONTRACT]
    return (
        f'<p class="kept">{_percent(kept, exercised)} kept</p>'
        f"<p>of {exercised:,} minutes in which it was used; {exercised - kept:,} were not kept.</p>"
    )


def _percent(part: int, whole: int) -> str:
    hundredths = part * 10_000 // whole
    return f"{hundredths // 100}.{hundredths % 100:02} %"


def _terms(one: ContractMonth) -> str:
    contract, terms = one.contract, one.terms
    objective = "none"
    if terms.ttft_ms is not None:
        objective = (
            f"{terms.ttft_ms:,} ms for 95 % of the prompts of up to "
            f"{terms.prompt_tokens:,} tokens in a minute"
        )
    until = "" if contract.until_unix_s is None else f" until {_moment(contract.until_unix_s)}"
    rows = {
        "Contract": f"<code>{escape(contract.id)}</code>",
        "In force": f"since {_moment(contract.since_unix_s)}{until}",
        "Reserved": f"{terms.tokens_per_second:,} tokens/s over a minute, a prompt token counted "
        f"as {terms.prompt_ppm / 1e6:.4g}; {terms.burst_tokens:,} tokens of burst",
        "First token": objective,
        "Of the rest": f"weight {contract.weight}, {escape(contract.tier)}",
    }
    return "<dl>" + "".join(f"<dt>{n}</dt><dd>{v}</dd>" for n, v in rows.items()) + "</dl>"


def _figures(one: ContractMonth) -> str:
    causes, exercised = one.causes(), len(one.verdicts)
    rows = [("Met", causes[None], "Everything it promised was kept.")]
    rows += [(f"Breached: {cause.value}", causes[cause], _MEANING[cause]) for cause in Cause]
    rows += [("Not exercised", one.minutes - exercised, "Nobody asked for anything.")]
    lines = "".join(f"<tr><td>{n}</td><td>{m:,}</td><td>{why}</td></tr>" for n, m, why in rows)
    head = "<thead><tr><th>Verdict</th><th>Minutes</th><th>What it means</th></tr></thead>"
    return f"<h3>Verdicts</h3><table>{head}<tbody>{lines}</tbody></table>"


def _days(report: Report, one: ContractMonth) -> str:
    by_day = {
        day: list(found)
        for day, found in groupby(one.verdicts, lambda v: v.minute_unix_s // _DAY_S * _DAY_S)
    }
    month = report.month
    days = range(month.since_unix_s, min(month.until_unix_s, report.as_of_unix_s), _DAY_S)
    rows = "".join(_day(day, by_day.get(day, [])) for day in days)
    return f'<h3>Every minute</h3>{_KEY}<table class="days"><tbody>{rows}</tbody></table>'


def _day(day: int, verdicts: Sequence[Verdict]) -> str:
    rects = "".join(_rects(day, verdicts))
    breached = sum(1 for one in verdicts if one.cause is not None)
    number = datetime.fromtimestamp(day, UTC).day
    label = f"Day {number}: {len(verdicts) - breached} minutes met, {breached} breached"
    return (
        f'<tr><th scope="row">{number}</th><td><svg viewBox="0 0 {_DAY_MINUTES} 10" '
        f'preserveAspectRatio="none" role="img" aria-label="{label}">'
        f'<rect fill="#d0d7de" y="9" width="{_DAY_MINUTES}" height="1"/>{rects}</svg></td></tr>'
    )


def _rects(day: int, verdicts: Sequence[Verdict]) -> Iterator[str]:
    for run in _runs(verdicts):
        colour, top, height = _DRAWN[run[0].cause]
        left = (run[0].minute_unix_s - day) // MINUTE_S
        shape = f'x="{left}" y="{top}" width="{len(run)}" height="{height}"'
        yield f'<rect fill="{colour}" {shape}/>'


def _runs(verdicts: Sequence[Verdict]) -> Iterator[list[Verdict]]:
    """Stretches of neighbouring minutes with one cause."""
    run: list[Verdict] = []
    for one in verdicts:
        if run and (one.cause, one.minute_unix_s) != (
            run[-1].cause,
            run[-1].minute_unix_s + MINUTE_S,
        ):
            yield run
            run = []
        run.append(one)
    if run:
        yield run


def _sample(cause: Cause | None, text: str) -> str:
    colour, top, height = _DRAWN[cause]
    rect = f'<rect fill="{colour}" y="{top}" width="20" height="{height}"/>'
    return f'<svg viewBox="0 0 20 10" aria-hidden="true">{rect}</svg>{text}'


_KEY = (
    '<p class="key">'
    + _sample(None, "met")
    + _sample(Cause.OVER_CONTRACT, "over contract")
    + _sample(Cause.CAPACITY_LOST, "breached")
    + ", a row a day, from 00:00 to 24:00</p>"
)


def _breaches(one: ContractMonth) -> str:
    runs = [run for run in _runs(one.verdicts) if run[0].cause is not None]
    if not runs:
        return ""
    lines = "".join(_breach(run) for run in runs[:LISTED])
    more = f"<p>and {len(runs) - LISTED:,} more stretches.</p>" if len(runs) > LISTED else ""
    head = "".join(
        f"<th>{name}</th>"
        for name in ("From", "Minutes", "Cause", "First token", "Lost", "Served", "Owed", "Wanted")
    )
    return (
        "<h3>Breached</h3><table><thead><tr>"
        f"{head}</tr></thead><tbody>{lines}</tbody></table>{more}"
    )


def _breach(run: list[Verdict]) -> str:
    slowest = max((one.ttft_p95_us for one in run if one.ttft_p95_us is not None), default=None)
    cause = run[0].cause
    cells = (
        _moment(run[0].minute_unix_s),
        len(run),
        "" if cause is None else cause.value,
        "–" if slowest is None else f"{slowest / 1000:,.0f} ms",
        *(sum(getattr(v, name) for v in run) for name in ("lost", "served_tokens")),
        *(sum(getattr(v, name) for v in run) for name in ("owed_tokens", "wanted_tokens")),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _check(report: Report, vkey: str) -> str:
    tenants = sorted({one.contract.tenant for one in report.contracts})
    whose = escape(tenants[0]) if len(tenants) == 1 else "TENANT"
    return (
        "<section><h2>How to check it</h2><p>Every verdict follows from records alone, by the "
        "definitions in docs/contracts.md, in whole numbers.</p><ol>"
        f"<li>Export the records: <code>inland record export --tenant {whose} -o records.jsonl"
        "</code>. Their batches are numbered without gaps, and each record's SHA-256 is the "
        "<code>inland-entry</code> of an answer.</li>"
        "<li>Take the receipt of any of them, and of the contract itself, by its id: "
        "<code>inland receipt get ID -o receipt.json</code>. Check it on a machine of your own: "
        "<code>inland verify receipt.json --vkey log.vkey</code>, where log.vkey holds "
        f"<code>{escape(vkey)}</code>.</li>"
        "<li>Compare times to first token and refusals with what your own callers measured: a "
        "record says what the operator's gateway saw.</li></ol></section>"
    )


def _open(report: Report) -> str:
    if report.open_unix_s >= report.month.until_unix_s:
        return ""
    return f" From {_moment(report.open_unix_s)} on, answers under way may still be added."


def _moment(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
