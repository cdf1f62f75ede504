"""Several stores as one: what one of them takes its time for is nothing to the others."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from inland.adapters.files.forgetful import ForgetfulDisk
from inland.adapters.vault.folder_blobs import FolderBlobs
from inland.adapters.vault.placed_blobs import Placed, PlacedBlobs
from inland.domain.places import Place
from inland.ports.blobs import Blobs, BlobsAway
from tests.patience import PATIENCE_S, until
from tests.vaults import needed_folders

HERE, THERE = Place("here", "DE", "DE"), Place("there", "FR", "FR")
NAME, FAR = "parts/a/00000000", "parts/far/00000000"


def folder() -> Blobs:
    files = ForgetfulDisk().process("test")
    needed_folders(files)
    return FolderBlobs(files)


def stores(there: Callable[[], Blobs]) -> PlacedBlobs:
    placed = {"here": Placed(HERE, folder), "there": Placed(THERE, there)}
    lies = {"far": ("there",)}
    return PlacedBlobs(placed, lambda asset: lies.get(asset, ("here",)), PATIENCE_S)


def test_a_store_that_hangs_as_it_is_opened_stops_no_other():
    going, opened = Event(), list[Blobs]()

    def slowly() -> Blobs:
        assert going.wait(PATIENCE_S)
        opened.append(folder())
        return opened[-1]

    both = stores(slowly)
    with ThreadPoolExecutor(4) as threads:
        try:
            waiting = [threads.submit(both.put, FAR, b"y") for _ in range(3)]
            threads.submit(both.put, NAME, b"x").result(PATIENCE_S / 2)
            assert bytes(both.get(NAME) or b"") == b"x"
            assert not any(one.done() for one in waiting)
        finally:
            going.set()
        for one in waiting:
            one.result(PATIENCE_S)
    assert bytes(both.get(FAR) or b"") == b"y"
    assert len(opened) == 1


def test_a_store_that_does_not_open_in_time_is_away_until_it_has():
    going = Event()

    def slowly() -> Blobs:
        assert going.wait(PATIENCE_S)
        return folder()

    both = stores(slowly)
    both.put(NAME, b"x")
    both._opened_s = 0.05
    try:
        for _ in range(2):
            with pytest.raises(BlobsAway, match=r"there: .* 0\.05 s"):
                both.get(FAR)
        with pytest.raises(BlobsAway, match="there"):
            both.demand()
        both.put(NAME, b"y")
    finally:
        going.set()
    until(lambda: "there" in both._opened)
    assert both.get(FAR) is None


@pytest.mark.parametrize("error", [BlobsAway("unplugged"), TimeoutError("unplugged")])
def test_a_store_that_could_not_be_opened_is_opened_anew(error: Exception):
    tries = list[Exception]()

    def unplugged_first() -> Blobs:
        if not tries:
            tries.append(error)
            raise error
        return folder()

    both = stores(unplugged_first)
    with pytest.raises(BlobsAway, match="there: unplugged"):
        both.get(FAR)
    assert both.get(FAR) is None
