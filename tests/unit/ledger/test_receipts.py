"""One table of receipts, good and bad: both verifiers must give the verdict it names."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inland.ledger import canonical, merkle, notes, receipts
from inland.ledger.receipts import Kept
from tests.unit.ledger import example
from tests.unit.ledger.verifiers import VERIFIERS

SINCE = 5
SITE = example.site()
LAST = example.LOG_SIZE
ENTRY = example.entries(SITE.tenant_records["demo"])[1].hex()
OUTPUTS = tuple(text.encode() for text in example.TEXTS)
KEY = example.record_key()


def old_checkpoint(size: int) -> str:
    return example.checkpoint(SITE.log[:size])


def forked_checkpoint(size: int) -> str:
    """A head of the same log name over another history."""
    return example.checkpoint([*SITE.log[: size - 1], example.change(1000)])


ALL = Kept(ENTRY, KEY, example.BODY, OUTPUTS, old_checkpoint(SINCE))

#: (receipt, what was kept) pairs that prove what they say.
GOOD: dict[str, tuple[bytes, Kept]] = {
    "a request": (SITE.receipt("demo", 1), Kept()),
    "a refusal": (SITE.receipt("acme", 1), Kept()),
    "a change": (
        receipts.build([example.link(SITE.log, 2)], example.checkpoint(SITE.log)),
        Kept(),
    ),
    "a batch": (
        receipts.build([example.link(SITE.log, SITE.batch_index)], example.checkpoint(SITE.log)),
        Kept(),
    ),
    "a tenant's batch": (
        receipts.build(SITE.links("demo", 1)[1:], example.checkpoint(SITE.log)),
        Kept(),
    ),
    "a log of one entry": (
        receipts.build([example.link(SITE.log[:1], 0)], old_checkpoint(1)),
        Kept(checkpoint=old_checkpoint(1)),
    ),
    "everything compared": (SITE.receipt("demo", 1, SINCE), ALL),
    "the entry": (SITE.receipt("demo", 1), Kept(ENTRY)),
    "the input": (SITE.receipt("demo", 1), Kept(key=KEY, input=example.BODY)),
    "the outputs": (SITE.receipt("demo", 1), Kept(key=KEY, outputs=OUTPUTS)),
    "kept at the same size": (SITE.receipt("demo", 1), Kept(checkpoint=old_checkpoint(LAST))),
    "kept at the same size beside an older proof": (
        SITE.receipt("demo", 1, SINCE),
        Kept(checkpoint=old_checkpoint(LAST)),
    ),
    "a proof from the same size": (
        SITE.receipt("demo", 1, LAST),
        Kept(checkpoint=old_checkpoint(LAST)),
    ),
    "kept when the log was empty": (SITE.receipt("demo", 1), Kept(checkpoint=old_checkpoint(0))),
    "since the empty log": (SITE.receipt("demo", 1, 0), Kept(checkpoint=old_checkpoint(0))),
} | {
    f"since {size}": (SITE.receipt("demo", 1, size), Kept(checkpoint=old_checkpoint(size)))
    for size in range(1, LAST + 1)
}

#: What was kept does not fit a receipt that is itself in order.
UNFIT: dict[str, tuple[bytes, Kept]] = {
    "another entry": (SITE.receipt("demo", 1), Kept("0" * 64)),
    "an entry in upper case": (SITE.receipt("demo", 1), Kept(ENTRY.upper())),
    "an entry that is no hash": (SITE.receipt("demo", 1), Kept("\u00e5")),
    "another key": (SITE.receipt("demo", 1), replace(ALL, key=bytes(32), checkpoint=None)),
    "another input": (SITE.receipt("demo", 1), Kept(key=KEY, input=example.BODY + b"\n")),
    "an output too few": (SITE.receipt("demo", 1), Kept(key=KEY, outputs=OUTPUTS[:1])),
    "an output too many": (SITE.receipt("demo", 1), Kept(key=KEY, outputs=(*OUTPUTS, b""))),
    "outputs in another order": (SITE.receipt("demo", 1), Kept(key=KEY, outputs=OUTPUTS[::-1])),
    "an output that is not UTF-8": (SITE.receipt("demo", 1), Kept(key=KEY, outputs=(b"\xff",) * 2)),
    "an input without the key": (SITE.receipt("demo", 1), Kept(input=example.BODY)),
    "an output without the key": (SITE.receipt("demo", 1), Kept(outputs=OUTPUTS)),
    "a key and nothing to compare": (SITE.receipt("demo", 1), Kept(key=KEY)),
    "texts of a refusal": (SITE.receipt("acme", 1), Kept(key=KEY, input=example.BODY)),
    "kept, but no proof": (SITE.receipt("demo", 1), Kept(checkpoint=old_checkpoint(SINCE))),
    "kept, but a proof from elsewhere": (
        SITE.receipt("demo", 1, SINCE),
        Kept(checkpoint=old_checkpoint(4)),
    ),
    "kept from a forked log": (
        SITE.receipt("demo", 1, SINCE),
        Kept(checkpoint=forked_checkpoint(SINCE)),
    ),
    "kept from a forked log of a power of two": (
        SITE.receipt("demo", 1, 8),
        Kept(checkpoint=forked_checkpoint(8)),
    ),
    "kept from a fork at the same size": (
        SITE.receipt("demo", 1),
        Kept(checkpoint=forked_checkpoint(LAST)),
    ),
    "kept newer than the receipt's": (
        receipts.build([example.link(SITE.log[:9], 2)], old_checkpoint(9)),
        Kept(checkpoint=old_checkpoint(LAST)),
    ),
    "kept that is no note": (SITE.receipt("demo", 1), Kept(checkpoint="gone")),
    "kept signed by another": (
        SITE.receipt("demo", 1),
        Kept(checkpoint=old_checkpoint(LAST).replace("\u2014 e", "\u2014 f")),
    ),
}

Change = Callable[[dict[str, Any]], object]


def put(*path: str | int, value: Any) -> Change:
    """A change that sets one value deep inside a receipt."""

    def apply(receipt: dict[str, Any]) -> None:
        place: Any = receipt
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return apply


def drop(*path: str | int) -> Change:
    def apply(receipt: dict[str, Any]) -> None:
        place: Any = receipt
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return apply


def sized(text: str) -> Change:
    return put("checkpoint", value=example.signed(text))


ROOT64 = example.checkpoint(SITE.log).split("\n")[2]
LOOSE64 = example.loosened(ROOT64)
ZEROS = "0" * 64

#: Changes to the receipt of demo's record 1, any of which must be noticed.
TAMPERED: dict[str, Change] = {
    "another format": put("format", value="inland-receipt/2"),
    "a field more": put("more", value=1),
    "a field less": drop("consistency"),
    "no chain": put("chain", value=[]),
    "a chain that is no list": put("chain", value={}),
    "a chain cut short": drop("chain", 2),
    "a chain without its middle": drop("chain", 1),
    "a chain turned round": lambda receipt: receipt["chain"].reverse(),
    "a link twice": lambda receipt: receipt["chain"].append(receipt["chain"][2]),
    "a link that is no object": put("chain", 0, value=[]),
    "a field more in a link": put("chain", 0, "more", value=None),
    "a field more in a proof": put("chain", 0, "proof", "more", value=None),
    "a record that is no object": put("chain", 0, "record", value="x"),
    "a record of another version": put("chain", 0, "record", "v", value=2),
    "a record of version true": put("chain", 0, "record", "v", value=True),
    "a record without a kind": drop("chain", 0, "record", "kind"),
    "a record of a kind that is a list": put("chain", 0, "record", "kind", value=["request"]),
    "a record of no known kind": put("chain", 0, "record", "kind", value="gift"),
    "a record without a time": drop("chain", 0, "record", "time"),
    "another tenant": put("chain", 0, "record", "tenant", value="acme"),
    "another writer": put("chain", 0, "record", "writer", value="ffff"),
    "a writer that is a number": put("chain", 2, "record", "writer", value=1),
    "fewer tokens": put("chain", 0, "record", "completion_tokens", value=1),
    "a tree without a root": drop("chain", 1, "record", "root"),
    "a tree with another root": put("chain", 1, "record", "root", value=ZEROS),
    "a tree with a root in upper case": lambda receipt: receipt["chain"][1]["record"].update(
        root=receipt["chain"][1]["record"]["root"].upper()
    ),
    "a tree with a negative count": put("chain", 1, "record", "count", value=-5),
    "an index outside": put("chain", 0, "proof", "index", value=5),
    "a negative index": put("chain", 0, "proof", "index", value=-1),
    "an index that is true": put("chain", 0, "proof", "index", value=True),
    "another index": put("chain", 0, "proof", "index", value=0),
    "another size": put("chain", 0, "proof", "size", value=6),
    "a hash less": drop("chain", 0, "proof", "hashes", 0),
    "a hash more": lambda receipt: receipt["chain"][0]["proof"]["hashes"].append(ZEROS),
    "hashes in upper case": lambda receipt: receipt["chain"][0]["proof"].update(
        hashes=[each.upper() for each in receipt["chain"][0]["proof"]["hashes"]]
    ),
    "hashes that are a string": put("chain", 0, "proof", "hashes", value=ZEROS),
    "hashes that are nothing": put("chain", 0, "proof", "hashes", value=None),
    "a hash that is a number": put("chain", 0, "proof", "hashes", 0, value=0),
    "a checkpoint that is no text": put("checkpoint", value=None),
    "a checkpoint that is no note": put("checkpoint", value="x\n"),
    "the checkpoint of a shorter log": put("checkpoint", value=old_checkpoint(10)),
    "a note with two signatures": lambda receipt: receipt.update(
        checkpoint=receipt["checkpoint"] + receipt["checkpoint"].split("\n")[4] + "\n"
    ),
    "a note with an extension line": sized(f"{example.ORIGIN}\n{LAST}\n{ROOT64}\nmore\n"),
    "a note with a leading zero": sized(f"{example.ORIGIN}\n0{LAST}\n{ROOT64}\n"),
    "a note with a signed size": sized(f"{example.ORIGIN}\n+{LAST}\n{ROOT64}\n"),
    "a note of a negative size": sized(f"{example.ORIGIN}\n-{LAST}\n{ROOT64}\n"),
    "a note of another origin": sized(f"other.example\n{LAST}\n{ROOT64}\n"),
    "a note whose root has loose bits": sized(f"{example.ORIGIN}\n{LAST}\n{LOOSE64}\n"),
    "a note whose root is short": sized(f"{example.ORIGIN}\n{LAST}\nAAAA\n"),
    "a note of an impossible size": sized(f"{example.ORIGIN}\n{1 << 53}\n{ROOT64}\n"),
    "a note whose root is no base64": sized(f"{example.ORIGIN}\n{LAST}\n{'?' * 44}\n"),
    "a consistency proof without its root": drop("consistency", "from_root"),
    "a consistency proof with another root": put("consistency", "from_root", value=ZEROS),
    "a consistency proof from elsewhere": put("consistency", "from_size", value=6),
    "a consistency proof from nowhere": put("consistency", "from_size", value=0),
    "a consistency proof from the future": put("consistency", "from_size", value=12),
    "a consistency proof with a hash more": lambda receipt: receipt["consistency"]["hashes"].append(
        ZEROS
    ),
    "a consistency proof with a hash less": lambda receipt: receipt["consistency"]["hashes"].pop(),
    "a consistency proof with none": put("consistency", "hashes", value=[]),
    "a consistency proof that is a list": put("consistency", value=[]),
    "a float": put("chain", 0, "record", "ttft_us", value=1.5),
    "a key that is not ASCII": put("chain", 0, "record", "\u00e5", value=1),
    "a number beyond 53 bits": put("chain", 0, "record", "snapshot", value=1 << 53),
}


def tampered(name: str) -> bytes:
    receipt = msgspec.json.decode(SITE.receipt("demo", 1, SINCE))
    TAMPERED[name](receipt)
    return msgspec.json.encode(receipt, order="sorted")


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("case", GOOD)
def test_a_receipt_in_order_is_accepted(verifier, case):
    data, kept = GOOD[case]
    assert VERIFIERS[verifier](data, example.VKEY, kept) is None


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("case", UNFIT)
def test_what_does_not_fit_what_was_kept_is_refused(verifier, case):
    data, kept = UNFIT[case]
    assert VERIFIERS[verifier](data, example.VKEY, Kept()) is None
    assert VERIFIERS[verifier](data, example.VKEY, kept)


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("case", TAMPERED)
def test_a_tampered_receipt_is_refused(verifier, case):
    assert VERIFIERS[verifier](tampered(case), example.VKEY, Kept())


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize(
    "vkey",
    {
        "": "",
        "another name": example.VKEY.replace("example", "elsewhere"),
        "another id": example.VKEY.replace("+", "+0", 1),
        "another key": notes.vkey(example.ORIGIN, bytes(32)),
        "a space": " " + example.VKEY,
        "two lines": example.VKEY + "\n\n",
        "no key": "+".join(example.VKEY.split("+")[:2]),
    }.items(),
    ids=lambda item: item[0] or "nothing",
)
def test_another_key_refuses_every_receipt(verifier, vkey):
    assert VERIFIERS[verifier](SITE.receipt("demo", 1), vkey[1], Kept())


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_key_file_may_end_in_a_newline(verifier):
    assert VERIFIERS[verifier](SITE.receipt("demo", 1), example.VKEY + "\n", Kept()) is None


#: Other ways of writing the same receipt, and bytes that are none.
REWRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "a newline behind": lambda data: data + b"\n",
    "a space before": lambda data: b" " + data,
    "a byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "a space inside": lambda data: data.replace(b",", b", ", 1),
    "an escape": lambda data: data.replace(b"request", b"\\u0072equest", 1),
    "a key twice": lambda data: data.replace(b'"billed":true', b'"billed":false,"billed":true', 1),
    "a number with a fraction": lambda data: data.replace(b'"v":1', b'"v":1.0', 1),
    "a number with an exponent": lambda data: data.replace(b'"v":1', b'"v":1e0', 1),
    "keys in another order": lambda data: msgspec.json.encode(
        dict(reversed(msgspec.json.decode(data).items()))
    ),
    "nothing": lambda _: b"",
    "a list": lambda _: b"[]",
    "half": lambda data: data[: len(data) // 2],
    "not UTF-8": lambda data: data.replace(b"demo", b"d\xffmo"),
    "a lone surrogate": lambda data: data.replace(b'"demo"', b'"\\ud800"'),
    "not a number": lambda data: data.replace(b'"v":1', b'"v":NaN', 1),
    "a deep one": lambda data: data.replace(b'"v":1', b'"v":' + b"[" * 5000 + b"]" * 5000, 1),
    "a rather deep one": lambda data: data.replace(b'"v":1', b'"v":' + b"[" * 16 + b"]" * 16, 1),
    "a huge one": lambda data: data + b" " * receipts.MAX_RECEIPT_BYTES,
}


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("way", REWRITTEN)
def test_a_receipt_written_in_another_way_is_refused(verifier, way):
    data = REWRITTEN[way](SITE.receipt("demo", 1))
    assert VERIFIERS[verifier](data, example.VKEY, Kept())


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_depth_is_allowed_to_the_same_limit(verifier):
    """15 lists in a record are the last that both take; one more is refused by both."""

    def receipt(depth: int) -> bytes:
        value: Any = 1
        for _ in range(depth):
            value = [value]
        log = [{**example.change(0), "deep": value}]
        entry = canonical.entry(msgspec.json.encode(log[0], order="sorted"))
        body = notes.checkpoint_body(example.ORIGIN, 1, merkle.root([entry]))
        link = {"record": log[0], "proof": {"index": 0, "size": 1, "hashes": []}}
        whole = {
            "format": receipts.FORMAT,
            "chain": [link],
            "checkpoint": example.signed(body.decode()),
            "consistency": None,
        }
        return msgspec.json.encode(whole, order="sorted")

    assert VERIFIERS[verifier](receipt(canonical.MAX_DEPTH - 1), example.VKEY, Kept()) is None
    assert VERIFIERS[verifier](receipt(canonical.MAX_DEPTH), example.VKEY, Kept())


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_both_verifiers_agree_on_any_value_put_anywhere(data):
    receipt = msgspec.json.decode(SITE.receipt("demo", 1, SINCE))
    place: Any = receipt
    while True:
        steps = list(place) if isinstance(place, dict) else list(range(len(place)))
        step = data.draw(st.sampled_from(steps))
        inner = place[step]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        place = inner
    values = st.none() | st.booleans() | st.integers(-1, 12) | st.text(max_size=3)
    values |= st.sampled_from([ZEROS, [], {}, [ZEROS], 1.0, 1 << 60, "demo", inner])
    place[step] = data.draw(values)
    try:
        changed = msgspec.json.encode(receipt, order="sorted")
    except UnicodeEncodeError:
        return
    verdicts = {name: verify(changed, example.VKEY, ALL) for name, verify in VERIFIERS.items()}
    same = changed == SITE.receipt("demo", 1, SINCE)
    assert {verdict is None for verdict in verdicts.values()} == {same}, verdicts


def test_what_was_proved_is_told():
    verified = receipts.verify(SITE.receipt("demo", 1, SINCE), example.VKEY, ALL)
    assert verified.record == SITE.tenant_records["demo"][1]
    assert verified.entry == ENTRY
    assert verified.chain == ("request", "tenant-batch", "batch")
    assert verified.checkpoint == notes.open_note(example.checkpoint(SITE.log), example.VKEY)
    assert verified.compared == ("entry", "input", "output", "kept")


def test_a_kept_checkpoint_newer_than_the_receipt_says_what_to_do():
    data, kept = UNFIT["kept newer than the receipt's"]
    for verify in VERIFIERS.values():
        assert "newer" in (verify(data, example.VKEY, kept) or "")
        assert "again" in (verify(data, example.VKEY, kept) or "")


@pytest.mark.parametrize("text", ["", "00", "g" * 64, KEY.hex().upper(), KEY.hex() + "0"])
def test_a_record_key_that_is_not_64_digits_is_refused(text):
    with pytest.raises(receipts.Refused):
        receipts.parse_key(text)


def test_a_record_key_is_read_as_it_was_printed():
    assert receipts.parse_key(KEY.hex() + "\n") == KEY
