#!/usr/bin/env python3
"""Recompute an Inland invoice from exported records, with nothing but Python's standard library.

python3 inland_bill.py RECORDS.jsonl PRICES.json YYYY-MM [INVOICE.json]

RECORDS: `inland record export`; PRICES: `inland price list --json`; INVOICE: `inland invoice
--json`. Prints one JSON object; exits 1 where the invoice says otherwise, and 2 where a word is
missing. docs/billing.md has the definitions. Whether the records are all and unchanged is for
inland_verify.py and receipts.
"""

import hashlib
import json
import re
import sys
from collections import defaultdict
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path
from typing import Any

JSON = dict[str, Any]

#: Digits after the point of the smallest unit that is paid, where they are not two (ISO 4217).
DIGITS = dict.fromkeys(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0
)
DIGITS |= dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3) | {"CLF": 4, "UYW": 4}


def bill(lines: list[bytes], prices: list[JSON], month: str) -> JSON:
    """The amounts of `month`, by deployment, beginning of its price and kind of token."""
    tokens: dict[tuple[Any, ...], int] = defaultdict(int)
    entries, count = hashlib.sha256(), 0
    for line in lines:
        record = json.loads(line)
        if "destroyed" in record and "kind" not in record:
            continue  # main says so
        moment = datetime.fromtimestamp(record["time"] // 10**6, UTC)
        is_billed = record["kind"] == "request" and record["billed"]
        if not is_billed or moment.strftime("%Y-%m") != month:
            continue
        count += 1
        entries.update(hashlib.sha256(line).digest())
        began = [
            price
            for price in prices
            if price["deployment"] == record["deployment"]
            and price["since"] * 10**6 <= record["time"]
        ]
        price = max(began, key=lambda one: one["since"], default=None)
        at = (record["deployment"], price and price["since"])
        tokens[*at, "prompt"] += record["prompt_tokens"] - record["cached_tokens"]
        tokens[*at, "cached"] += record["cached_tokens"]
        tokens[*at, "completion"] += record["completion_tokens"]
    amounts: JSON = {}
    totals: dict[str, Decimal] = defaultdict(Decimal)
    known = {(price["deployment"], price["since"]): price for price in prices}
    for (deployment, since, kind), number in tokens.items():
        if since is not None and number:
            price = known[deployment, since]
            unit = Decimal(1).scaleb(-DIGITS.get(price["currency"], 2))
            with localcontext(prec=60):
                exact = Decimal(price[kind]) * number / 10**6
                amount = exact.quantize(unit, ROUND_HALF_EVEN)
            amounts[f"{deployment} {since} {kind}"] = str(amount)
            totals[price["currency"]] += amount
    sums = {currency: str(amount) for currency, amount in totals.items()}
    return {
        "records": count,
        "entries_sha256": entries.hexdigest(),
        "lines": amounts,
        "totals": sums,
    }


def claimed(invoice: JSON) -> JSON:
    """What an invoice says, in the same form."""
    lines = [line for line in invoice["lines"] if line["amount"] is not None]
    return {
        "records": invoice["records"],
        "entries_sha256": invoice["entries_sha256"],
        "lines": {f"{x['deployment']} {x['since']} {x['kind']}": x["amount"] for x in lines},
        "totals": {total["currency"]: total["amount"] for total in invoice["totals"]},
    }


def main(words: list[str]) -> int:
    """Print what the records come to; 1 where the invoice differs, 2 where something is missing."""
    if len(words) not in {3, 4} or not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", words[2]):
        print(__doc__.splitlines()[2], file=sys.stderr)
        return 2
    records, prices, month, *invoice = words
    lines = Path(records).read_bytes().splitlines()
    made = bill(lines, json.loads(Path(prices).read_text()), month)
    print(json.dumps(made))
    gone = sum(line.startswith(b'{"destroyed":') for line in lines)
    if gone:
        print(f"{gone} of these records were destroyed: they are in no sum", file=sys.stderr)
    said = [claimed(json.loads(Path(one).read_text())) for one in invoice]
    for one in said:
        if one != made:
            print(f"the invoice says otherwise: {json.dumps(one)}", file=sys.stderr)
    return int(any(one != made for one in said))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
