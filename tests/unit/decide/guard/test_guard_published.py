"""Each recogniser on examples that others published, right and wrong ones, each with its source."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.decide.guard.recognisers import RECOGNISERS
from tests.unit.decide.guard.test_guard_recognisers import found_in

_STDNUM = "python-stdnum 2.2, examples in the documentation of stdnum."
_REGISTRY = "SWIFT IBAN Registry (ISO 13616), the country's IBAN example"
_PAYPAL = "PayPal, Payflow: test credit card account numbers"
_STRIPE = "Stripe, Testing: cards by brand"
_TW_NPM = "taiwan-id-validator (npm), README"
#: No authority publishes one; these are of ICP's form, true and untrue by Luhn.
_ICP = "made up: 784, a year, seven digits, by Luhn, as Microsoft Purview defines the entity"


@dataclass(frozen=True)
class Example:
    """A number, and who says that it is right or wrong."""

    name: str
    number: str
    source: str
    is_right: bool = True


def _of(name: str, source: str, *numbers: str, right: bool = True) -> list[Example]:
    return [Example(name, number, source, right) for number in numbers]


EXAMPLES = [
    *_of("mykad", _STDNUM + "my.nric", "770305-02-1234", "770305021234"),
    *_of("mykad", _STDNUM + "my.nric", "771305-02-1234", "770305-17-1234", right=False),
    *_of("taiwan-id", "taiwan-id (Hackage), README", "A123456789"),
    *_of("taiwan-id", _TW_NPM, "A800000014", "AA00000009"),
    *_of("taiwan-id", "tw-id-num (npm), README", "HD12345678"),
    *_of("taiwan-id", "Taiwan's checksum, last digit one more", "A123456780", right=False),
    *_of("my-number", _STDNUM + "jp.in_", "6214 9832 0257", "621498320257"),
    *_of("my-number", _STDNUM + "jp.in_", "6214 9832 0258", "6214 9832 025X", right=False),
    *_of("china-id", "GB 11643-1999, examples", "11010519491231002X", "440524188001010014"),
    *_of("china-id", _STDNUM + "cn.ric", "360426199101010071"),
    *_of("china-id", "GB 11643-1999, another last digit", "110105194912310021", right=False),
    *_of("cnp", _STDNUM + "ro.cnp", "1630615123457"),
    *_of(
        *("cnp", _STDNUM + "ro.cnp", "0800101221142", "1632215123457", "1630615993454"),
        "1630615123458",
        right=False,
    ),
    *_of("belgium-nn", _STDNUM + "be.nn", "85.07.30-033.28", "17 07 30 033 84"),
    *_of("belgium-nn", _STDNUM + "be.bis", "98.47.28-997.65", "01 49 07 001 85"),
    *_of("belgium-nn", _STDNUM + "be.nn", "12345678901", right=False),
    *_of("france-nir", _STDNUM + "fr.nir", "2 95 10 99 126 111 93", "253072B07300470"),
    *_of("france-nir", _STDNUM + "fr.nir", "253072A07300443", "295109912611193"),
    *_of("france-nir", _STDNUM + "fr.nir", "295109912611199", "253072C07300443", right=False),
    *_of("france-nir", _STDNUM + "fr.nir", "6546546546546703", right=False),
    *_of("emirates-id", _ICP, "784-1990-1234567-6", "784199012345676"),
    *_of("emirates-id", _ICP, "784-1990-1234567-7", "784-1990-1234567-0", right=False),
    *_of("iban", _REGISTRY, "GB29 NWBK 6016 1331 9268 19", "DE89 3704 0044 0532 0130 00"),
    *_of("iban", _REGISTRY, "FR14 2004 1010 0505 0001 3M02 606", "NO93 8601 1117 947"),
    *_of("iban", _REGISTRY, "MT84 MALT 0110 0001 2345 MTLC AST0 01S", "BE68 5390 0754 7034"),
    *_of("iban", _REGISTRY, "AE07 0331 2345 6789 0123 456", "RO49 AAAA 1B31 0075 9384 0000"),
    *_of("iban", _STDNUM + "iban", "GR16 0110 1050 0000 1054 7023 795", "BE31435411161155"),
    *_of("iban", "SWIFT's GB example, last digit less one", "GB29NWBK60161331926818", right=False),
    *_of("card", _PAYPAL, "4111111111111111", "5555555555554444", "378282246310005"),
    *_of("card", _PAYPAL, "371449635398431", "30569309025904", "38520000023237"),
    *_of("card", _PAYPAL, "6011111111111117", "3530111333300000", "5105105105105100"),
    *_of("card", _STRIPE, "2223003122003222", "6200000000000005", "4242424242424242"),
    *_of("card", _STRIPE + ": incorrect number", "4242424242424241", right=False),
]
#: Where the digits stand that check the others: from the end; of an IBAN from its beginning.
_CHECKS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("taiwan-id", "my-number", "china-id", "cnp", "emirates-id", "card"), (-1,)),
    **dict.fromkeys(("belgium-nn", "france-nir"), (-2, -1)),
    "iban": (2, 3),
}
#: Whose sums see any one digit that is wrong, a check digit or not.
_SEEING = ("card", "emirates-id", "iban", "france-nir", "china-id")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one.name} {one.number}")
def test_a_published_example_is_what_its_source_says(example: Example):
    found = found_in(f"It is {example.number}, thanks.", example.name)
    assert found == ([example.name] if example.is_right else []), example.source


def test_every_recogniser_has_examples_of_both_kinds():
    for right in (True, False):
        assert {one.name for one in EXAMPLES if one.is_right is right} == set(RECOGNISERS)


@pytest.mark.parametrize(
    "example",
    [one for one in EXAMPLES if one.is_right and one.name in _CHECKS],
    ids=lambda one: f"{one.name} {one.number}",
)
def test_another_check_digit_is_refused(example: Example):
    plain = "".join(one for one in example.number if one.isalnum())
    for place in _CHECKS[example.name]:
        for digit in set("0123456789") - {plain[place]}:
            at = place % len(plain)
            wrong = plain[:at] + digit + plain[at + 1 :]
            if example.name == "belgium-nn" and _is_of_the_other_century(wrong):
                continue
            assert found_in(wrong, example.name) == [], wrong


def _is_of_the_other_century(number: str) -> bool:
    """The same nine digits are another person's, born a century before or after."""
    return int(number[9:]) in {97 - int(f"{begin}{number[:9]}") % 97 for begin in ("", "2")}


@given(
    st.sampled_from([one for one in EXAMPLES if one.is_right and one.name in _SEEING]),
    st.integers(0, 40),
    st.sampled_from("0123456789"),
)
def test_any_one_digit_that_is_wrong_is_refused(example: Example, at: int, digit: str):
    plain = "".join(one for one in example.number if one.isalnum())
    at %= len(plain)
    if plain[at].isdigit() and plain[at] != digit:
        assert found_in(plain[:at] + digit + plain[at + 1 :], example.name) == []
