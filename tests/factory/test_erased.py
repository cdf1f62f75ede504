"""What was erased is nowhere: not in copies and backups from before, not in the home that goes on.

Every law is first seen not to hold where it cannot: before the erase, and of what was not erased.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from inland.adapters.files.disk import Disk
from inland.adapters.vault.embedded_keys import ROOT, EmbeddedKeys
from inland.adapters.vault.factory_key import FactoryKey, FactorySecret, Source
from inland.adapters.vault.folder_blobs import FolderBlobs
from inland.adapters.vault.sealed_vault import SealedVault
from inland.ports.keys import KeyWithdrawn
from inland.ports.vault import NAME, PartName, TextName
from tests import thief
from tests.factory.running import Running, running
from tests.patience import until

TEXT, WEIGHT, KEPT = b"canary-of-text-5d1e", b"canary-of-weights-77ab", b"canary-that-stays-0c3f"
VECTOR = array("f", [0.1234 + number / 7 for number in range(64)]).tobytes()
_NAMES = {"text": ("name-canary-91b2", "title-canary-44c0"), "kept": ("name-kept", "title-kept")}
LENGTHS = [len(text) for pair in _NAMES.values() for text in pair]
CANARIES = [TEXT, WEIGHT, VECTOR, *(text.encode() for text in _NAMES["text"])]


@dataclass(frozen=True)
class Stage:
    """A factory and what it was before. `gone`, `kept`: ids of assets."""

    factory: Running
    before: Path
    backup: Path
    gone: list[str]
    kept: str

    @property
    def home(self) -> Path:
        return self.factory.home


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Stage]:
    """A dataset, an index and an adapter made of it, and something beside; then all that goes."""
    assert model_file.exists()
    folder = tmp_path_factory.mktemp("erased")
    with running(folder / "home") as factory:
        text = _added(factory, folder, TEXT * 50, "text", "dataset")
        index = _added(factory, folder, VECTOR, "text", "documents", "--from", text)
        adapter = _added(factory, folder, WEIGHT * 50, "text", "adapter", "--from", index)
        kept = _added(factory, folder, KEPT, "kept", "dataset")
        factory.run("backup", str(folder / "backup"))
        before = thief.copied(factory.home, folder / "before")
        told = factory.json("asset", "erase", text, "--yes", "-o", str(folder / "certificate"))
        assert set(told["erased"]) == {text, index, adapter}
        assert told["kinds"] == {"adapter": 1, "dataset": 1, "documents": 1}
        yield Stage(factory, before, folder / "backup", [text, index, adapter], kept)


def _added(factory: Running, folder: Path, data: bytes, word: str, kind: str, *more: str) -> str:
    name, title = _NAMES[word]
    file = folder / "content"
    file.write_bytes(data)
    words = ("--name", name, "--title", title, "--kind", kind, "--tenant", "acme", *more)
    told: str = factory.json("asset", "add", str(file), *words)["id"]
    return told


def _found(home: Path) -> set[bytes]:
    """Which canaries somebody with this home and its keys comes by."""
    texts = list(thief.opened(home, thief.keys_in(home), LENGTHS))
    known = [*CANARIES, KEPT, *(text.encode() for text in _NAMES["kept"])]
    return {canary for canary in known if any(canary in text for text in texts)}


_STAYS = {KEPT, *(text.encode() for text in _NAMES["kept"])}


def test_a_copy_from_before_with_the_keys_of_today_yields_nothing_that_was_erased(
    stage: Stage, tmp_path: Path
):
    copy = thief.copied(stage.before, tmp_path / "copy")
    assert _found(copy) == {*CANARIES, *_STAYS}, "with the keys it had, it yields all of it"
    assert _found(thief.with_keys_of(copy, stage.home)) == _STAYS


def test_a_backup_from_before_restored_with_the_keys_of_today_yields_nothing_that_was_erased(
    stage: Stage, tmp_path: Path
):
    again = Running(tmp_path / "again")
    again.run("restore", str(stage.backup))
    for folder in ("vault", "keys/vault"):
        thief.placed(stage.before / folder, again.home / folder)
    assert _found(again.home) == {*CANARIES, *_STAYS}, "with the keys it had, it yields all of it"
    assert _found(thief.with_keys_of(again.home, stage.home)) == _STAYS


def test_no_byte_of_what_was_erased_lies_in_the_home_in_clear_or_sealed(stage: Stage):
    """Database with its log and free pages, journals, records, logs, blobs and keys."""
    sealed = _sealed(stage.before, stage.gone)
    assert len(sealed) == 12, "of each a name, a title, a part and a key"
    was = thief.lying(stage.before, [*CANARIES, *sealed])
    assert set(was) == set(sealed), "all of it lay there, and nothing in clear"
    stays = _sealed(stage.before, [stage.kept])
    until(lambda: set(thief.lying(stage.home, stays)) == set(stays))  # in the log or the file
    until(lambda: not thief.lying(stage.home, [*CANARIES, *sealed]))  # once nobody reads the log


def _sealed(home: Path, assets: list[str]) -> list[bytes]:
    """All that rests sealed of assets."""
    blobs = [path for asset in assets for path in (home / "vault" / "parts" / asset).iterdir()]
    keys = [home / "keys" / "vault" / "keys" / "acme" / asset for asset in assets]
    return [*thief.sealed_texts(home, assets), *(path.read_bytes() for path in [*blobs, *keys])]


def test_an_erased_asset_is_shown_as_that_and_without_its_name(stage: Stage):
    for asset in stage.gone:
        told = stage.factory.json("asset", "show", asset)
        assert (told["state"], told["name"], told["title"]) == ("erased", None, None)
        assert told["erased_by"]
    shown = stage.factory.run("asset", "show", stage.gone[0]).stdout
    assert "erased" in shown
    assert _NAMES["text"][0] not in shown


def test_what_is_withdrawn_is_opened_by_no_inland_in_a_copy_from_before(
    stage: Stage, tmp_path: Path
):
    """Embedded keys are there still: who holds the home opens them, as the threat model says."""
    copy, part = thief.copied(stage.before, tmp_path / "copy"), PartName("acme", stage.kept, 0)
    name = TextName("acme", stage.kept, NAME)
    (sealed, _) = thief.sealed_texts(copy, [stage.kept])
    assert _vault(copy).get(part) == KEPT
    assert _vault(copy).unseal(name, sealed) == _NAMES["kept"][0]
    stage.factory.run("vault", "withdraw", "--tenant", "acme")
    try:
        thief.with_keys_of(copy, stage.home)
    finally:
        stage.factory.run("vault", "give-back", "--tenant", "acme")
    for act in (lambda: _vault(copy).get(part), lambda: _vault(copy).unseal(name, sealed)):
        with pytest.raises(KeyWithdrawn):
            act()


def _vault(home: Path) -> SealedVault:
    files = Disk(home)
    factory_key = FactoryKey(files, FactorySecret(Source.FILE), ROOT)
    return SealedVault(EmbeddedKeys(files, factory_key), FolderBlobs(files))
