"""Commitments: as specified, one text opened without the rest, no text taken for another."""

import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from inland.ledger import commitments

KEYS = st.binary(min_size=32, max_size=32)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256)


@given(KEYS, TEXTS, st.binary(max_size=20), st.integers(0, 200), TEXTS)
def test_they_are_the_hmacs_that_the_formats_specify(tenant_key, record_id, body, choice, text):
    key = commitments.record_key(tenant_key, record_id)
    assert key == mac(tenant_key, b"inland record key v1\x00" + record_id.encode()).digest()
    assert commitments.commit_input(key, body) == mac(key, b"input\x00" + body).hexdigest()
    said = b"output\x00" + str(choice).encode() + b"\x00" + text.encode()
    assert commitments.commit_output(key, choice, text) == mac(key, said).hexdigest()


@given(KEYS, st.tuples(st.integers(0, 30), TEXTS), st.tuples(st.integers(0, 30), TEXTS))
def test_an_output_is_no_other_choice_s_and_no_input(key, one, other):
    first, second = commitments.commit_output(key, *one), commitments.commit_output(key, *other)
    assert (first == second) == (one == other)
    assert first != commitments.commit_input(key, one[1].encode())


@given(KEYS, TEXTS, TEXTS)
def test_each_record_has_a_key_of_its_own(tenant_key, one, other):
    keys = {commitments.record_key(tenant_key, record_id) for record_id in (one, other)}
    assert len(keys) == len({one, other})
