"""What a vault does over any keys and blobs: only what was put is got, by its own name alone."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.adapters.vault.sealing import bound_to, seal, unseal
from inland.domain.assets import PART_BYTES
from inland.ports.keys import KeyGone, KeyName, KeyWithdrawn
from inland.ports.vault import NAME, TITLE, PartName, TextName, Unreadable

PART = PartName("acme", "0198c2a1-one", 0)


def test_what_was_put_is_got(vault):
    for number, data in enumerate([b"", b"x", b"text" * 1000]):
        vault.put(PART._replace(number=number), data)
    assert vault.get(PART._replace(number=2)) == b"text" * 1000
    assert [vault.get(PART._replace(number=n)) for n in (0, 1)] == [b"", b"x"]
    assert sorted(vault.parts(PART.asset)) == [0, 1, 2]


def test_a_whole_part_fits(vault):
    data = bytes(PART_BYTES)
    vault.put(PART, data)
    assert vault.get(PART) == data


def test_a_part_that_is_not_there_is_unreadable(vault):
    vault.put(PART, b"x")
    with pytest.raises(Unreadable):
        vault.get(PART._replace(number=1))


def test_nothing_is_got_of_an_asset_that_was_never_put(vault):
    with pytest.raises(KeyGone):
        vault.get(PART)


def test_blobs_hold_neither_text_nor_the_names_of_tenant_or_asset(vault, blobs):
    vault.put(PartName("acme-hospital", "0198c2a1-one", 0), b"a planted canary" * 100)
    for name in blobs.names():
        assert "acme" not in name
        assert b"canary" not in bytes(blobs.get(name))
        assert b"acme" not in bytes(blobs.get(name))


def test_a_proof_knows_the_very_sealing(vault, blobs):
    """A store that gives back what lay there before is noticed by who kept the proof."""
    first = vault.put(PART, b"the first")
    (name,) = blobs.names()
    old = blobs.get(name)
    second = vault.put(PART, b"the second")
    assert vault.get(PART, second) == b"the second"
    with pytest.raises(Unreadable):
        vault.get(PART, first)
    blobs.put(name, old)
    with pytest.raises(Unreadable):
        vault.get(PART, second)


def test_sealed_bytes_are_known_whole_wherever_they_were_read(vault, blobs):
    proof = vault.put(PART, b"x" * 100)
    sealed = blobs.get(next(iter(blobs.names())))
    before = bytes(sealed)
    assert vault.knows(PART, proof, sealed)
    assert bytes(sealed) == before
    for at in (0, 1, 20, len(sealed) - 1):
        changed = bytearray(before)
        changed[at] ^= 1
        assert not vault.knows(PART, proof, memoryview(changed))
    assert not vault.knows(PART._replace(number=1), proof, sealed)
    assert not vault.knows(PART, proof, sealed[-len(proof) :])
    vault.erase(PART.tenant, PART.asset)
    with pytest.raises(KeyGone):
        vault.knows(PART, proof, sealed)


def test_an_erased_asset_opens_nothing_with_its_blobs_put_back(vault, blobs):
    vault.put(PART, b"x")
    vault.put(PART._replace(asset="0198c2a1-two"), b"y")
    kept = {name: blobs.get(name) for name in blobs.names()}
    vault.erase(PART.tenant, PART.asset)
    vault.erase(PART.tenant, PART.asset)
    assert list(vault.parts(PART.asset)) == []
    for name, data in kept.items():
        blobs.put(name, data)
    with pytest.raises(KeyGone):
        vault.get(PART)
    vault.put(PART._replace(number=1), b"z")  # a key made anew is another
    with pytest.raises(Unreadable):
        vault.get(PART)
    assert vault.get(PART._replace(asset="0198c2a1-two")) == b"y"


def test_short_texts_open_for_their_asset_and_field_alone_and_go_with_it(vault):
    name = TextName("acme", PART.asset, NAME)
    sealed = vault.seal(name, "Bericht über §7")
    assert vault.unseal(name, sealed) == "Bericht über §7"
    assert b"Bericht" not in sealed
    assert vault.seal(name, "Bericht über §7") != sealed
    other = TextName("other", "0198c2a1-two", NAME)
    vault.seal(other, "x")
    for wrong in (other, name._replace(field=TITLE)):
        with pytest.raises(Unreadable):
            vault.unseal(wrong, sealed)
    vault.erase("acme", PART.asset)
    with pytest.raises(KeyGone):
        vault.unseal(name, sealed)
    with pytest.raises(KeyGone):
        vault.unseal(other._replace(asset="0198c2a1-third"), sealed)


def test_texts_of_older_versions_open_until_their_tenants_key_is_forgotten(vault, keys):
    key = keys.make(KeyName("acme", "texts"))
    sealed = seal(key, bound_to("inland vault text v1", "acme"), b"a name", os.urandom)
    assert vault.unseal_older("acme", sealed) == "a name"
    with pytest.raises(KeyGone):
        vault.unseal_older("other", sealed)
    vault.forget_older("acme")
    vault.forget_older("acme")
    with pytest.raises(KeyGone):
        vault.unseal_older("acme", sealed)
    assert list(vault.assets()) == []


def test_a_digest_key_is_the_tenants_own_and_stays(vault):
    key = vault.digest_key("acme")
    assert len(key) == 32
    assert vault.digest_key("acme") == key != vault.digest_key("other")


def test_what_is_withdrawn_opens_nothing(vault, keys):
    vault.put(PART, b"x")
    name = TextName("acme", PART.asset, NAME)
    sealed = vault.seal(name, "name")
    keys.withdraw("acme")
    for call in (
        lambda: vault.get(PART),
        lambda: vault.put(PART, b"y"),
        lambda: vault.unseal(name, sealed),
        lambda: vault.seal(name, "y"),
        lambda: vault.digest_key("acme"),
    ):
        with pytest.raises(KeyWithdrawn):
            call()
    keys.give_back("acme")
    assert vault.get(PART) == b"x"


def test_assets_are_those_with_a_key_or_a_part(vault, keys, blobs):
    vault.put(PART, b"x")
    vault.put(PartName("other", "0198c2a1-two", 0), b"y")
    keys.make(KeyName("acme", "texts"))
    vault.digest_key("acme")
    assert sorted(vault.assets()) == [("acme", "0198c2a1-one"), ("other", "0198c2a1-two")]
    vault.erase("other", "0198c2a1-two")
    (name,) = list(blobs.names())
    blobs.put(name.replace("one", "orphan"), b"z")
    assert sorted(vault.assets()) == [("", "0198c2a1-orphan"), ("acme", "0198c2a1-one")]
    vault.erase("", "0198c2a1-orphan")
    assert sorted(vault.assets()) == [("acme", "0198c2a1-one")]


@given(st.data())
def test_a_part_changed_in_any_way_is_unreadable(memory, data):
    """Any bit, any cut, anything added."""
    vault, blobs = memory
    text = data.draw(st.binary(max_size=300))
    vault.put(PART, text)
    name = _blob(PART)
    sealed = blobs.get(name)
    how = data.draw(st.sampled_from(["flip", "cut", "add"]))
    if how == "flip":
        at = data.draw(st.integers(0, len(sealed) * 8 - 1))
        changed = bytearray(sealed)
        changed[at // 8] ^= 1 << at % 8
    elif how == "cut":
        changed = sealed[: data.draw(st.integers(0, len(sealed) - 1))]
    else:
        changed = bytes(sealed) + data.draw(st.binary(min_size=1, max_size=20))
    blobs.put(name, bytes(changed))
    with pytest.raises(Unreadable):
        vault.get(PART)


PARTS = [
    PartName(tenant, f"0198c2a1-{tenant}-{asset}", number)
    for tenant in ("acme", "other")
    for asset in ("one", "two")
    for number in (0, 1, 10)
]


@given(st.sampled_from(PARTS), st.sampled_from(PARTS))
def test_a_part_in_anothers_place_is_unreadable(memory, source, target):
    """Another number, another asset, another tenant."""
    vault, blobs = memory
    for part in PARTS:
        vault.put(part, repr(part).encode())
    blobs.put(_blob(target), blobs.get(_blob(source)))
    if source == target:
        assert vault.get(target) == repr(target).encode()
        return
    with pytest.raises(Unreadable):
        vault.get(target)


def test_a_part_is_bound_to_its_asset_and_not_only_to_its_key(memory):
    """Two names under one key, as a keeper that errs would give them."""
    key = b"k" * 32
    sealed = seal(key, bound_to("p", "ab", "c"), b"x", bytes)
    assert unseal(key, bound_to("p", "ab", "c"), sealed) == b"x"
    for other in (bound_to("p", "a", "bc"), bound_to("p", "ab"), bound_to("q", "ab", "c")):
        assert unseal(key, other, sealed) is None


def _blob(part: PartName) -> str:
    return f"parts/{part.asset}/{part.number:08d}"
