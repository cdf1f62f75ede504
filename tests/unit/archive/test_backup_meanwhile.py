"""What happens to assets while a backup is made: it names what it lacks for it."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from inland.adapters.vault.folder_blobs import ROOT
from inland.adapters.vault.sealed_vault import blob_name
from inland.bootstrap.backup import Wanted, back_up
from inland.domain.assets import LOCAL_STORE, AssetKind, AssetState
from inland.domain.labels import Label
from inland.ports.assets import AssetRow
from tests.books_home import BooksHome

MOVED = "0198c2a1-moved"


@contextmanager
def no_bar(_what):
    yield lambda _done, _total: None


@pytest.fixture
def filled(tmp_path):
    made = BooksHome(tmp_path / "home")
    made.take_in_first_keys()
    yield made
    made.close()


def put(filled, asset, store, state=AssetState.LIVE):
    row = AssetRow(
        *(asset, "acme", AssetKind.DATASET, b"", b"", asset, 1, state),
        *(Label("acme", ("DE",)), 8, "", "", "", 1, 1),
        store=store,
    )
    with filled.store.write() as transaction:
        transaction.assets.put_asset(row)
    part = filled.home.root / ROOT / blob_name(asset, 0)
    if store == LOCAL_STORE:
        part.parent.mkdir(parents=True)
        part.write_bytes(b"sealed content")
    else:
        part.unlink(missing_ok=True)


def change(filled, **news):
    with filled.store.write() as transaction:
        row = transaction.assets.asset(MOVED)
        transaction.assets.put_asset(replace(row, **news))
    if news.get("store", LOCAL_STORE) != LOCAL_STORE or news.get("state"):
        (filled.home.root / ROOT / blob_name(MOVED, 0)).unlink(missing_ok=True)


def kept(filled, file, meanwhile, *, content=True):
    """What a backup says that it lacks, where something happens once it has copied the books."""
    wanted = Wanted(content=content)
    made = back_up(
        filled.home, file, passphrase=None, wanted=wanted, bar=no_bar, tell=lambda _: meanwhile()
    )
    return made.missing


@pytest.mark.parametrize("content", [True, False])
@pytest.mark.parametrize(
    ("lay", "lies"), [(LOCAL_STORE, "paris"), ("paris", LOCAL_STORE), ("paris", "lyon")]
)
def test_an_asset_that_is_moved_while_a_backup_is_made_is_named(
    filled, tmp_path, lay, lies, content
):
    for asset in ("0198c2a1-here", MOVED):
        put(filled, asset, lay)
    made = kept(filled, tmp_path / "b", lambda: change(filled, store=lies), content=content)
    assert made == (MOVED,)


@pytest.mark.parametrize("lay", [LOCAL_STORE, "paris"])
@pytest.mark.parametrize("news", [{}, {"state": AssetState.ERASED}, {"other_store": "lyon"}])
def test_what_stays_or_is_erased_is_not_named(filled, tmp_path, lay, news):
    put(filled, MOVED, lay)
    assert kept(filled, tmp_path / "b", lambda: change(filled, **news)) == ()


def test_what_was_read_before_it_went_is_whole(filled, tmp_path):
    put(filled, MOVED, LOCAL_STORE)

    @contextmanager
    def bar(what):
        yield (
            lambda done, total: (
                change(filled, store="paris") if what == "backup" and done >= total else None
            )
        )

    made = back_up(filled.home, tmp_path / "b", passphrase=None, wanted=Wanted(), bar=bar)
    assert made.missing == ()
