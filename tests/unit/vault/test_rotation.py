"""Another factory key: every key opens throughout, wherever the power goes, and under the older one
nothing is left."""

from random import Random

import pytest

from inland.adapters.files.disk import Disk
from inland.adapters.files.forgetful import ForgetfulDisk
from inland.adapters.vault.embedded_keys import ROOT, EmbeddedKeys
from inland.adapters.vault.factory_key import FactoryKey, FactorySecret, Source
from inland.domain.errors import Damaged
from inland.ports.keys import KeyGone, KeyName, KeysAway
from tests.vaults import needed_folders

CHEAP = {"n": 2, "r": 1, "p": 1}
NAMES = [KeyName("acme", f"asset-{n}") for n in range(3)] + [KeyName("other", "texts")]
INTENT = "0198c2a1"


class Crash(Exception):
    """The power went."""


class World:
    """A disk that fails at its `at`-th operation from when it is armed, and a passphrase beside."""

    def __init__(self, folder, source):
        self.left = None
        self.disk = ForgetfulDisk(self._watch)
        needed_folders(self.disk.process("start"))
        self.file = folder / "passphrase"
        self.secret = FactorySecret(source, None if source is Source.FILE else self.file)
        self.say("correct horse")

    def say(self, passphrase):
        self.file.write_text(passphrase)
        self.file.chmod(0o600)

    def _watch(self, operation, path):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Crash(operation)
        return True

    def keys(self):
        files = self.disk.process("test")
        return EmbeddedKeys(files, FactoryKey(files, self.secret, ROOT, scrypt=CHEAP))

    def interrupted(self, at, call):
        self.left = at
        try:
            call()
        except Crash:
            return True
        finally:
            self.left = None
        return False

    def left_over(self):
        files = self.disk.process("look")
        return files.list(f"{ROOT}/.aside"), set(files.list(ROOT)) - {".aside", "keys", "withdrawn"}


def whole(keys):
    keys.rotate(INTENT)
    keys.rotated()


OLD, NEW = "correct horse", "battery staple"


def opens(world, before):
    """The passphrases by which every key is what it was; by the other none is."""
    found = []
    for passphrase in (OLD, NEW):
        world.say(passphrase)
        keys = world.keys()
        try:
            keys.demand()
        except KeysAway:
            continue
        assert {name: keys.open(name) for name in NAMES} == before
        found.append(passphrase)
    return tuple(found)


@pytest.mark.parametrize("seed", range(3))
def test_every_key_opens_wherever_a_rotation_stops(tmp_path, seed):
    seen = []
    for at in range(300):
        world = World(tmp_path, Source.PASSPHRASE)
        keys = world.keys()
        before = {name: keys.make(name) for name in NAMES}
        world.say(NEW)
        cut = world.interrupted(at, lambda keys=keys: whole(keys))
        world.disk.crash(Random(seed))
        seen.append(opens(world, before))
        keys = world.keys()  # with the new one, as its operator left it
        if seen[-1] != (OLD,) and keys.rotating() is not None:
            assert keys.rotating() == INTENT
            whole(keys)
            assert opens(world, before) == (NEW,)
            assert world.left_over() == ([], {"factory.json"})
        if not cut:
            break
    assert set(seen) == {(OLD,), (OLD, NEW), (NEW,)}
    assert len(seen) > 20


@pytest.mark.parametrize("seed", range(3))
def test_every_key_opens_wherever_a_rotation_of_a_file_stops(tmp_path, seed):
    for at in range(300):
        world = World(tmp_path, Source.FILE)
        keys = world.keys()
        before = {name: keys.make(name) for name in NAMES}
        cut = world.interrupted(at, lambda keys=keys: whole(keys))
        world.disk.crash(Random(seed))
        keys = world.keys()
        assert {name: keys.open(name) for name in NAMES} == before
        whole(keys)
        assert {name: world.keys().open(name) for name in NAMES} == before
        aside, files = world.left_over()
        assert not aside
        assert len(files) == 2, files  # what says how, and the key
        if not cut:
            return
    raise AssertionError


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("source", [Source.FILE, Source.PASSPHRASE])
def test_an_older_key_that_lies_there_still_keeps_its_rotation_going(tmp_path, source, seed):
    """Also one that came from a file, where a passphrase takes its place."""
    for at in range(100):
        world = World(tmp_path, Source.FILE)
        keys = world.keys()
        before = {name: keys.make(name) for name in NAMES}
        world.secret = FactorySecret(source, None if source is Source.FILE else world.file)
        keys = world.keys()
        keys.rotate(INTENT)
        cut = world.interrupted(at, keys.rotated)
        world.disk.crash(Random(seed))
        keys = world.keys()
        assert {name: keys.open(name) for name in NAMES} == before
        if keys.rotating() is not None:
            assert keys.rotating() == INTENT
            keys.rotate(INTENT)
            keys.rotated()
        assert {name: world.keys().open(name) for name in NAMES} == before
        aside, files = world.left_over()
        assert not aside
        assert len(files) == (2 if source is Source.FILE else 1), files
        if not cut:
            return
    raise AssertionError


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, Source.PASSPHRASE)


def test_afterwards_the_old_passphrase_opens_nothing_and_the_new_one_all(world):
    keys = world.keys()
    key = keys.make(NAMES[0])
    world.say("battery staple")
    whole(keys)
    assert keys.open(NAMES[0]) == key
    assert world.keys().open(NAMES[0]) == key
    world.say("correct horse")
    with pytest.raises(KeysAway, match="not the one"):
        world.keys().open(NAMES[0])


def test_who_started_with_the_new_passphrase_is_told_and_gives_the_old_one(world):
    key = world.keys().make(NAMES[0])
    world.say("battery staple")
    keys = world.keys()
    for wrong in (None, b"neither of them"):
        with pytest.raises(KeysAway, match="not the one"):
            keys.rotate(INTENT, wrong)
    assert keys.rotating() is None
    keys.rotate(INTENT, b"correct horse")
    keys.rotated()
    assert world.keys().open(NAMES[0]) == key


def test_keys_beside_their_key_come_under_a_passphrase(tmp_path):
    world = World(tmp_path, Source.FILE)
    key = world.keys().make(NAMES[0])
    world.secret = FactorySecret(Source.PASSPHRASE, world.file)
    keys = world.keys()
    with pytest.raises(KeysAway, match="inland vault rotate"):
        keys.open(NAMES[0])
    with pytest.raises(KeysAway, match="inland vault rotate"):
        keys.demand()
    whole(keys)
    assert keys.open(NAMES[0]) == key
    assert not [name for name in world.left_over()[1] if name.endswith(".key")]


def test_what_is_made_and_destroyed_meanwhile_is_there_and_gone(world, monkeypatch):
    keys = world.keys()
    before = {name: keys.make(name) for name in NAMES}
    made: dict[KeyName, bytes] = {}
    late = KeyName("zed", "late")
    rewrapped = EmbeddedKeys._rewrapped

    def meanwhile(self, name, wrapping):
        if not made:
            self.destroy(NAMES[1])
            made[late] = self.make(late)
        assert self.open(NAMES[0]) == before[NAMES[0]]
        return rewrapped(self, name, wrapping)

    with monkeypatch.context() as patch:
        patch.setattr(EmbeddedKeys, "_rewrapped", meanwhile)
        whole(keys)
    for opened in (keys, world.keys()):
        assert opened.open(late) == made[late]
        with pytest.raises(KeyGone):
            opened.open(NAMES[1])


def test_a_damaged_key_keeps_the_older_factory_key_and_loses_no_other(tmp_path):
    files, secret = Disk(tmp_path), FactorySecret(Source.FILE)
    needed_folders(files)
    keys = EmbeddedKeys(files, FactoryKey(files, secret, ROOT))
    before = {name: keys.make(name) for name in NAMES}
    damaged = tmp_path / ROOT / "keys" / "acme" / "asset-1"
    kept = damaged.read_bytes()
    damaged.write_bytes(kept[:-1])
    with pytest.raises(Damaged):
        keys.rotate(INTENT)
    again = EmbeddedKeys(files, FactoryKey(files, secret, ROOT))
    assert again.rotating() == INTENT
    damaged.write_bytes(kept)  # as from a copy
    assert {name: again.open(name) for name in NAMES} == before
    assert again.rotate(INTENT) == len(NAMES)
    again.rotated()
    assert {name: again.open(name) for name in NAMES} == before


def test_a_home_restored_without_its_keys_makes_none_until_they_are_back(world):
    files = world.disk.process("test")
    world.keys()
    mark = files.open(f"{ROOT}/awaited", create=True)
    mark.close()
    for call in (lambda: world.keys().make(NAMES[0]), lambda: world.keys().demand()):
        with pytest.raises(KeysAway, match="put the copy of keys/vault back"):
            call()
    files.remove(f"{ROOT}/awaited")
    assert world.keys().make(NAMES[0])


def test_a_passphrase_that_is_not_there_is_known_before_anything_is_made(world):
    world.file.unlink()
    with pytest.raises(KeysAway, match="passphrase"):
        world.keys().demand()
    world.say("correct horse")
    world.keys().demand()
    assert not world.left_over()[1]
