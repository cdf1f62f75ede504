"""From one public key to the next: what a receipt of a log's last entry says, in both verifiers."""

import json
import subprocess
import sys

import pytest

from inland.ledger import notes, receipts
from inland.ledger.rotation import LOG_ROTATE, Successor, successor
from tests.unit.ledger import example
from tests.unit.ledger.verifiers import FILE

NEXT = notes.vkey("factory.inland/log/89abcdef", bytes(32))


def verified(**said):
    """A receipt of one change that says so, and what it proves."""
    record = {**example.change(0), "what": LOG_ROTATE, "subject": example.ORIGIN}
    record |= {"details": {"vkey": NEXT, "why": "scheduled"}} | said
    data = receipts.build([example.link([record], 0)], example.checkpoint([record]))
    return data, receipts.verify(data, example.VKEY)


def alone(tmp_path, data, vkey=example.VKEY):
    (tmp_path / "receipt").write_bytes(data)
    (tmp_path / "vkey").write_text(vkey)
    argv = [sys.executable, "-I", FILE, tmp_path / "receipt", "--vkey", tmp_path / "vkey", "--json"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)


def test_the_last_entry_of_a_log_leads_to_the_next_key(tmp_path):
    data, proved = verified()
    assert successor(proved) == Successor(NEXT, "scheduled")
    told = json.loads(alone(tmp_path, data).stdout)
    assert told["successor"] == {"vkey": NEXT, "why": "scheduled"}


@pytest.mark.parametrize(
    "said",
    [{"what": "tenant.add"}, {"subject": "factory.inland/log/00000000"}],
    ids=["another change", "another log"],
)
def test_no_other_record_names_a_key(tmp_path, said):
    data, proved = verified(**said)
    assert successor(proved) is None
    assert "successor" not in json.loads(alone(tmp_path, data).stdout)


@pytest.mark.parametrize("details", [{}, {"vkey": 1, "why": "x"}, {"vkey": NEXT}, None, []])
def test_a_rotation_that_names_no_key_names_none(tmp_path, details):
    data, proved = verified(details=details)
    assert successor(proved) is None
    assert alone(tmp_path, data).returncode == 0


def test_a_receipt_of_another_log_says_which(tmp_path):
    data, _ = verified()
    with pytest.raises(receipts.Refused, match=f"of the log {example.ORIGIN}, the key is factory"):
        receipts.verify(data, NEXT)
    done = alone(tmp_path, data, NEXT)
    assert done.returncode == 1
    assert f"of the log {example.ORIGIN}" in done.stdout
