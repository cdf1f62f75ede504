"""A crash at any operation leaves a key or a blob there or not there, and nothing that was said to
be done undone."""

from random import Random

import pytest

from inland.adapters.files.forgetful import ForgetfulDisk
from inland.adapters.vault.embedded_keys import EmbeddedKeys
from inland.adapters.vault.factory_key import FactoryKey, FactorySecret, Source
from inland.adapters.vault.folder_blobs import FolderBlobs
from inland.ports.keys import KeyGone, KeyName, KeyWithdrawn
from tests.vaults import factory_key, needed_folders

ONE, TWO = KeyName("acme", "one"), KeyName("acme", "two")


class Crash(Exception):
    """The power went."""


class World:
    """A disk that fails at its `at`-th operation from when it is armed."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.disk = ForgetfulDisk(self._watch)
        needed_folders(self.disk.process("start"))

    def _watch(self, operation: str, path: str) -> bool:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Crash(operation)
        return True

    def keys(self) -> EmbeddedKeys:
        return EmbeddedKeys(self.disk.process("test"), factory_key)

    def blobs(self) -> FolderBlobs:
        return FolderBlobs(self.disk.process("test"))

    def crash(self, seed: int) -> None:
        self.left = None
        self.disk.crash(Random(seed))


def interrupted(world: World, at: int, call, *given) -> tuple[bool, bytes | None]:
    """Whether `call` was cut off at its `at`-th operation, and else what it returned."""
    world.left = at
    try:
        return False, call(*given)
    except Crash:
        return True, None
    finally:
        world.left = None


def got(blobs: FolderBlobs, name: str) -> bytes | None:
    found = blobs.get(name)
    return None if found is None else bytes(found)


@pytest.mark.parametrize("seed", range(8))
def test_a_key_is_there_or_not_there_after_a_crash(seed):
    for at in range(100):
        world = World()
        keys = world.keys()
        first = keys.make(ONE)
        cut, made = interrupted(world, at, keys.make, TWO)
        world.crash(seed)
        keys = world.keys()
        assert keys.open(ONE) == first
        try:
            found = keys.open(TWO)
        except KeyGone:
            assert cut
        else:
            assert keys.make(TWO) == found
            assert made in {None, found}
        if not cut:
            return
    raise AssertionError


@pytest.mark.parametrize("seed", range(8))
def test_a_destroyed_key_stays_gone_after_a_crash(seed):
    for at in range(100):
        world = World()
        keys = world.keys()
        key, other = keys.make(ONE), keys.make(TWO)
        cut, _ = interrupted(world, at, keys.destroy, ONE)
        world.crash(seed)
        keys = world.keys()
        assert keys.open(TWO) == other
        try:
            assert keys.open(ONE) == key
            assert cut
        except KeyGone:
            pass
        keys.destroy(ONE)
        with pytest.raises(KeyGone):
            keys.open(ONE)
        assert not world.disk.process("look").list("keys/vault/.aside")
        if not cut:
            return
    raise AssertionError


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("back", [False, True])
def test_a_withdrawal_holds_after_a_crash(seed, back):
    for at in range(100):
        world = World()
        keys = world.keys()
        keys.make(ONE)
        if back:
            keys.withdraw("acme")
        call = keys.give_back if back else keys.withdraw
        cut, _ = interrupted(world, at, call, "acme")
        world.crash(seed)
        keys = world.keys()
        try:
            keys.open(ONE)
            opens = True
        except KeyWithdrawn:
            opens = False
        assert opens == ("acme" not in keys.withdrawn())
        if not cut:
            assert opens == back
            return
    raise AssertionError


@pytest.mark.parametrize("seed", range(8))
def test_a_blob_is_there_whole_or_not_there_after_a_crash(seed):
    for at in range(100):
        world = World()
        blobs = world.blobs()
        blobs.put("parts/a/0", b"old" * 100)
        cut, _ = interrupted(world, at, blobs.put, "parts/a/0", b"new" * 100)
        later, _ = interrupted(world, at, blobs.put, "parts/b/0", b"x" * 100)
        world.crash(seed)
        blobs = world.blobs()
        assert got(blobs, "parts/a/0") in ({b"old" * 100, b"new" * 100} if cut else {b"new" * 100})
        assert got(blobs, "parts/b/0") in ({None, b"x" * 100} if later else {b"x" * 100})
        assert not world.disk.process("look").list("vault/.aside")
        if not cut and not later:
            return
    raise AssertionError


@pytest.mark.parametrize("seed", range(8))
def test_a_removed_blob_stays_away_after_a_crash(seed):
    for at in range(100):
        world = World()
        blobs = world.blobs()
        blobs.put("parts/a/0", b"x")
        cut, _ = interrupted(world, at, blobs.remove, "parts/a/0")
        world.crash(seed)
        blobs = world.blobs()
        assert got(blobs, "parts/a/0") in ({b"x", None} if cut else {None})
        blobs.put("parts/a/0", b"y")
        assert got(blobs, "parts/a/0") == b"y"
        if not cut:
            return
    raise AssertionError


@pytest.mark.parametrize("seed", range(8))
def test_a_factory_key_that_was_told_is_the_same_after_a_crash(seed):
    for at in range(100):
        world = World()
        world.keys()
        secret = FactorySecret(Source.FILE)

        def factory(world=world, secret=secret) -> FactoryKey:
            return FactoryKey(world.disk.process("test"), secret, "keys/vault")

        first = factory()
        cut, made = interrupted(world, at, lambda first=first: first()[0])
        world.crash(seed)
        (found,) = factory()()
        assert made in {None, found}
        if not cut:
            return
    raise AssertionError
