"""An invoice as one HTML file: no script, nothing fetched, readable in print."""

from datetime import UTC, datetime
from html import escape
from typing import Any

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Invoice {tenant} {month}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: black; background: white; }}
h1 {{ font-size: 1.6rem; margin-bottom: 0; }}
table {{ border-collapse: collapse; width: 100%; margin: 1.5rem 0; }}
th, td {{ text-align: left; padding: .35rem .6rem; border-bottom: 1px solid silver;
  vertical-align: top; }}
.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
tfoot td {{ font-weight: 600; border-top: 2px solid black; border-bottom: 0; }}
.draft {{ border: 1px solid sienna; padding: .5rem .8rem; color: sienna; }}
code {{ overflow-wrap: anywhere; }}
small {{ color: dimgray; }}
@media print {{ body {{ margin: 0; max-width: none; }} tr {{ break-inside: avoid; }} }}
</style>
</head>
<body>
<h1>Invoice</h1>
<p>{tenant} · {month} · {since} to {until} (UTC) · made {made}</p>
{draft}<table>
<thead><tr><th>Deployment</th><th>Tokens of</th><th>Price since</th>
<th class="number">Per million</th><th class="number">Tokens</th><th class="number">Records</th>
<th class="number">Amount</th></tr></thead>
<tbody>
{lines}</tbody>
<tfoot>
{totals}</tfoot>
</table>
<p><small>Each amount is its tokens × its price, rounded once to the smallest unit of the currency,
a half to the even one; a total is the sum of its lines. Cached tokens are those of a prompt that
were not read again; the others are prompt tokens. A record belongs to the month in which its
request arrived. {records} billed records make this invoice. SHA-256 over their entries, in the
order of an export: <code>{entries}</code></small></p>
<table>
<thead><tr><th>Batches of writer</th><th class="number">First</th><th class="number">Last</th>
<th class="number">Billed records</th></tr></thead>
<tbody>
{batches}</tbody>
</table>
</body>
</html>
"""
_DRAFT = (
    '<p class="draft">Not final: the month goes on, or not all of it is booked yet. '
    "This is what was booked when it was made.</p>\n"
)


def page(invoice: dict[str, Any]) -> str:
    """The page of an invoice as the API shows it."""
    return _PAGE.format(
        tenant=escape(invoice["tenant"]),
        month=escape(invoice["month"]),
        since=_day(invoice["since"]),
        until=_day(invoice["until"]),
        made=_moment(invoice["made"]),
        draft="" if invoice["final"] else _DRAFT,
        lines="".join(map(_line, invoice["lines"])),
        totals="".join(map(_total, invoice["totals"])) or _nothing(),
        records=f"{invoice['records']:,}",
        entries=escape(invoice["entries_sha256"]),
        batches="".join(map(_batch, invoice["batches"])),
    )


def _line(line: dict[str, Any]) -> str:
    priced = line["micros"] is not None
    cells = [
        (line["deployment"], False),
        (line["kind"], False),
        (_moment(line["since"]) if priced else "no price was set", False),
        (f"{line['price']} {line['currency']}" if priced else "–", True),
        (f"{line['tokens']:,}", True),
        (f"{line['records']:,}", True),
        (f"{line['amount']} {line['currency']}" if priced else "–", True),
    ]
    return _row(cells)


def _total(total: dict[str, Any]) -> str:
    label, amount = f"Total in {total['currency']}", f"{total['amount']} {total['currency']}"
    return f'<tr><td colspan="6">{escape(label)}</td>{_cell(amount, number=True)}</tr>\n'


def _nothing() -> str:
    return '<tr><td colspan="7">Nothing is to be paid.</td></tr>\n'


def _batch(batch: dict[str, Any]) -> str:
    numbers = [(f"{batch[name]:,}", True) for name in ("first", "last", "records")]
    return _row([(batch["writer"], False), *numbers])


def _row(cells: list[tuple[str, bool]]) -> str:
    return f"<tr>{''.join(_cell(text, number=number) for text, number in cells)}</tr>\n"


def _cell(text: str, *, number: bool) -> str:
    return f'<td class="number">{escape(text)}</td>' if number else f"<td>{escape(text)}</td>"


def _day(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d")


def _moment(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
