"""What every keeper of keys does alike."""

import threading

import pytest

from inland.ports.keys import KEY_BYTES, KeyGone, KeyName, KeyWithdrawn

ONE = KeyName("acme", "0198c2a1-one")
TWO = KeyName("acme", "0198c2a1-two")
OTHER = KeyName("other.tenant-1", "0198c2a1-one")


def test_a_key_is_made_once_and_opens(keys):
    key = keys.make(ONE)
    assert len(key) == KEY_BYTES
    assert keys.make(ONE) == key == keys.open(ONE)


def test_no_two_names_have_one_key(keys):
    assert len({keys.make(name) for name in (ONE, TWO, OTHER)}) == 3


def test_what_was_never_made_is_gone(keys):
    with pytest.raises(KeyGone):
        keys.open(ONE)
    keys.make(TWO)
    with pytest.raises(KeyGone):
        keys.open(ONE)


def test_what_is_destroyed_is_gone_and_a_new_one_is_another(keys):
    key = keys.make(ONE)
    keys.destroy(ONE)
    with pytest.raises(KeyGone):
        keys.open(ONE)
    keys.destroy(ONE)
    keys.destroy(TWO)
    assert list(keys.names()) == []
    assert keys.make(ONE) != key


def test_a_withdrawn_tenants_keys_open_nothing_until_given_back(keys):
    key, other = keys.make(ONE), keys.make(OTHER)
    keys.withdraw("acme")
    keys.withdraw("acme")
    for call in (keys.open, keys.make):
        for name in (ONE, TWO):
            with pytest.raises(KeyWithdrawn):
                call(name)
    assert keys.withdrawn() == {"acme"}
    assert keys.open(OTHER) == other
    keys.give_back("acme")
    keys.give_back("acme")
    assert keys.withdrawn() == frozenset()
    assert keys.open(ONE) == key
    with pytest.raises(KeyGone):
        keys.open(TWO)


def test_a_tenant_without_a_key_can_withdraw(keys):
    keys.withdraw("acme")
    with pytest.raises(KeyWithdrawn):
        keys.make(ONE)
    keys.give_back("acme")
    assert len(keys.make(ONE)) == KEY_BYTES


def test_a_withdrawn_tenants_keys_can_be_destroyed(keys):
    keys.make(ONE)
    keys.make(TWO)
    keys.withdraw("acme")
    keys.destroy(ONE)
    keys.give_back("acme")
    with pytest.raises(KeyGone):
        keys.open(ONE)
    assert list(keys.names()) == [TWO]
    assert [keys.exists(one) for one in (ONE, TWO)] == [False, True]


def test_names_are_those_there_are(keys):
    for name in (ONE, TWO, OTHER):
        keys.make(name)
    keys.withdraw("acme")
    assert sorted(keys.names()) == sorted([ONE, TWO, OTHER])


def test_threads_that_make_one_key_get_one_key(keys):
    made = []
    threads = [threading.Thread(target=lambda: made.append(keys.make(ONE))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1


def test_another_life_finds_them_all(keys, reopened):
    key = keys.make(ONE)
    keys.make(OTHER)
    keys.destroy(OTHER)
    keys.withdraw("other.tenant-1")
    again = reopened()
    assert again.open(ONE) == key
    assert again.withdrawn() == {"other.tenant-1"}
    assert list(again.names()) == [ONE]
