"""Every byte of a receipt counts, its consistency proof included, for both verifiers; in a soak,
every single bit."""

import pytest

from inland.ledger.receipts import Kept
from tests.unit.ledger import example
from tests.unit.ledger.verifiers import VERIFIERS

#: A proof from a power of two leaves the old root itself out; any other holds a part of it.
SIZES = (5, 8)
LETTERS_CASE = 5


def flipped(at, thorough):
    """Which bits of the byte: every one of each in a soak, else the one that makes another case of
    a letter, and another by turns."""
    return range(8) if thorough else {LETTERS_CASE, at % 8}


@pytest.mark.parametrize("since", SIZES)
@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_flipped_bit_anywhere_is_refused(verifier, since, pytestconfig):
    verify = VERIFIERS[verifier]
    data = bytearray(example.site().receipt("demo", 1, since))
    assert verify(bytes(data), example.VKEY, Kept()) is None
    accepted, thorough = [], pytestconfig.getoption("--soak")
    for at in range(len(data)):
        for bit in flipped(at, thorough):
            data[at] ^= 1 << bit
            if verify(bytes(data), example.VKEY, Kept()) is None:
                accepted.append((at, bit))
            data[at] ^= 1 << bit
    assert accepted == []


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_byte_cut_off_or_put_in_is_refused(verifier):
    verify = VERIFIERS[verifier]
    data = example.site().receipt("demo", 1, SIZES[0])
    for at in range(0, len(data), 7):
        assert verify(data[:at] + data[at + 1 :], example.VKEY, Kept()), at
        assert verify(data[:at] + b"0" + data[at:], example.VKEY, Kept()), at
