"""Receipts whose every hash and signature fits, made by an operator who breaks another rule."""

from typing import Any

import msgspec
import pytest

from inland.ledger import canonical, merkle, notes, receipts
from inland.ledger.receipts import Kept
from inland.ledger.records import Record
from tests.unit.ledger import example
from tests.unit.ledger.verifiers import VERIFIERS

REQUEST, REFUSAL, CHANGE = example.request("demo", 1), example.refusal("demo"), example.change(1)
SITE = example.site()
TENANT_BATCH = next(each for each in SITE.tenant_batches if each["tenant"] == "demo")
BATCH = SITE.log[SITE.batch_index]


def forged(*records: Record, upper: bool = False) -> bytes:
    """A receipt of `records`, each alone in the tree that the next one states."""
    chain: list[dict[str, Any]] = []
    below: Record | None = None
    for record in records:
        stated = dict(record)
        if below is not None:
            root = merkle.root([entry(below)]).hex()
            stated = {"count": 1, "root": root.upper() if upper else root} | {
                name: value for name, value in record.items() if name not in {"count", "root"}
            }
            stated |= {"count": record["count"]} if type(record["count"]) is not int else {}
        chain.append({"record": stated, "proof": {"index": 0, "size": 1, "hashes": []}})
        below = stated
    assert below is not None
    body = notes.checkpoint_body(example.ORIGIN, 1, merkle.root([entry(below)]))
    whole = {
        "format": receipts.FORMAT,
        "chain": chain,
        "checkpoint": example.signed(body.decode()),
        "consistency": None,
    }
    return msgspec.json.encode(whole, order="sorted")


def entry(record: Record) -> bytes:
    return canonical.entry(msgspec.json.encode(record, order="sorted"))


def without(record: Record, *names: str) -> Record:
    return {name: value for name, value in record.items() if name not in names}


FAIR = {
    "a request": (REQUEST, TENANT_BATCH, BATCH),
    "a refusal": (REFUSAL, TENANT_BATCH, BATCH),
    "a tenant's batch": (TENANT_BATCH, BATCH),
    "a batch": (BATCH,),
    "a change": (CHANGE,),
    "a field that is not known yet": ({**REQUEST, "later": [1]}, TENANT_BATCH, BATCH),
}
FORGED = {
    "a record in another tenant's batch": (
        REQUEST,
        {**TENANT_BATCH, "tenant": "acme"},
        BATCH,
    ),
    "a record of another writer": ({**REQUEST, "writer": "ffff"}, TENANT_BATCH, BATCH),
    "a tenant's batch of another writer": (
        {**REQUEST, "writer": "ffff"},
        {**TENANT_BATCH, "writer": "ffff"},
        BATCH,
    ),
    "a batch that names another tenant": (REQUEST, TENANT_BATCH, {**BATCH, "tenant": "acme"}),
    "a record without a tenant": (without(REQUEST, "tenant"), TENANT_BATCH, BATCH),
    "a batch without a tenant": (REQUEST, without(TENANT_BATCH, "tenant"), BATCH),
    "nobody's tenant anywhere": (
        without(REQUEST, "tenant"),
        without(TENANT_BATCH, "tenant"),
        BATCH,
    ),
    "a tenant that is a number": (
        {**REQUEST, "tenant": 1},
        {**TENANT_BATCH, "tenant": 1},
        BATCH,
    ),
    "no writer anywhere": (
        without(REQUEST, "writer"),
        without(TENANT_BATCH, "writer"),
        without(BATCH, "writer"),
    ),
    "a request in the log itself": (REQUEST,),
    "a request in a batch": (REQUEST, BATCH),
    "a request in a request": (REQUEST, {**REQUEST, "count": 1, "root": ""}, TENANT_BATCH, BATCH),
    "a tenant's batch in the log itself": (REQUEST, TENANT_BATCH),
    "a tenant's batch in a tenant's batch": (REQUEST, TENANT_BATCH, TENANT_BATCH, BATCH),
    "a batch in a batch": (REQUEST, TENANT_BATCH, BATCH, BATCH),
    "a change in a batch": (CHANGE, TENANT_BATCH, BATCH),
    "a batch under a change": (BATCH, {**CHANGE, "count": 1, "root": ""}),
    "a kind from nowhere": ({**REQUEST, "kind": "gift"}, TENANT_BATCH, BATCH),
    "a kind of two words": ({**REQUEST, "kind": "request refusal"}, TENANT_BATCH, BATCH),
    "no kind at all": ({**CHANGE, "kind": ""},),
    "a later version": ({**REQUEST, "v": 2}, TENANT_BATCH, BATCH),
    "a batch of a later version": (REQUEST, TENANT_BATCH, {**BATCH, "v": 2}),
    "version true": ({**CHANGE, "v": True},),
    "no time": (without(CHANGE, "time"),),
    "a time before 1970": ({**CHANGE, "time": -1},),
    "a time as text": ({**CHANGE, "time": "now"},),
    "a key that is not ASCII": ({**CHANGE, "\u00e5": 1},),
    "a float": ({**CHANGE, "share": 0.5},),
    "a whole float": ({**CHANGE, "share": 1.0},),
    "a number beyond 53 bits": ({**CHANGE, "details": {"many": [1 << 53]}},),
    "a negative one beyond": ({**CHANGE, "details": {"few": -(1 << 53)}},),
    "a receipt of more than 4 MiB": ({**CHANGE, "details": "x" * receipts.MAX_RECEIPT_BYTES},),
    "a count that is true": (REQUEST, {**TENANT_BATCH, "count": True}, BATCH),
    "a count as text": (REQUEST, {**TENANT_BATCH, "count": "1"}, BATCH),
}


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("case", FAIR)
def test_what_breaks_no_rule_is_accepted(verifier, case):
    assert VERIFIERS[verifier](forged(*FAIR[case]), example.VKEY, Kept()) is None


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("case", FORGED)
def test_what_breaks_one_is_refused(verifier, case):
    assert VERIFIERS[verifier](forged(*FORGED[case]), example.VKEY, Kept())


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_root_in_upper_case_is_refused(verifier):
    data = forged(REQUEST, TENANT_BATCH, BATCH, upper=True)
    assert VERIFIERS[verifier](data, example.VKEY, Kept())
