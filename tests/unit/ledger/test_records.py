"""Records: what each kind has, that the formats say so, and what an interrupted stream becomes."""

import re
from pathlib import Path

import pytest

from inland.ledger import canonical
from inland.ledger.records import BILLED, INTERRUPTED, interrupted
from tests.unit.ledger import example

FORMATS = (Path(__file__).parents[3] / "docs" / "formats.md").read_text()
SITE = example.site()
#: Fields that came later: the example's records, whose receipts are published, are without them.
LATER_REQUEST = {"status": 200, "stalled_us": 0}
LATER_REFUSAL = {"waited_ms": 0}
#: Fields that only some records have.
SOMETIMES = {"request": {"guard", "release", "adapter_label"}}
KINDS = {
    "request": example.request("demo", 1) | LATER_REQUEST,
    "refusal": example.refusal("acme") | LATER_REFUSAL,
    "tenant-batch": SITE.tenant_batches[0],
    "batch": SITE.log[SITE.batch_index],
    "change": example.change(1),
}
COMMON = {"v", "kind", "salt", "time"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_formats_name_exactly_the_fields_of_each_kind(kind):
    section = FORMATS.split(f"### `{kind}`\n")[1].split("\n#")[0]
    first_cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    named = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    assert named == KINDS[kind].keys() - COMMON | SOMETIMES.get(kind, set())


def test_an_interrupted_stream_keeps_what_was_known_and_bills_nothing():
    whole = KINDS["request"]
    ends = {*LATER_REQUEST, "outcome", "billed", "output", "ttft_us", "duration_us", "counted"}
    ends |= {name for name in whole if "tokens" in name}
    opening = {name: value for name, value in whole.items() if name not in ends}
    opening["counted"] = "none"
    record = interrupted(opening, salt=bytes(16))
    assert record.keys() == whole.keys()
    assert {name: record[name] for name in opening if name != "salt"} == {
        name: value for name, value in opening.items() if name != "salt"
    }
    assert (record["outcome"], record["billed"]) == (INTERRUPTED, False)
    assert record["outcome"] not in BILLED
    assert (record["output"], record["prompt_tokens"], record["completion_tokens"]) == ([], 0, 0)
    assert canonical.decode(canonical.encode(record)) == record
