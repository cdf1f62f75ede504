"""What every blob store does alike."""

import threading

import pytest


def test_what_was_put_is_got_whole(blobs):
    for size in (0, 1, 70_000):
        blobs.put(f"parts/a/{size}", bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    assert blobs.get("parts/a/0") == b""
    assert blobs.get("parts/a/1") == b"x"
    assert blobs.get("parts/a/70000")[:256] == bytes(range(256))
    assert len(blobs.get("parts/a/70000")) == 70_000


def test_a_name_put_again_is_the_new_bytes(blobs):
    blobs.put("parts/a/0", b"old and longer")
    blobs.put("parts/a/0", b"new")
    assert blobs.get("parts/a/0") == b"new"
    assert list(blobs.names()) == ["parts/a/0"]


def test_what_is_not_there_is_none(blobs):
    assert blobs.get("parts/a/0") is None
    blobs.put("parts/a/1", b"x")
    assert blobs.get("parts/a/0") is None
    assert blobs.get("parts/a") is None
    assert blobs.get("parts/a/1/2") is None


def test_removing_may_be_repeated(blobs):
    blobs.put("parts/a/0", b"x")
    blobs.put("parts/a/1", b"y")
    blobs.remove("parts/a/0")
    blobs.remove("parts/a/0")
    blobs.remove("parts/b/0")
    assert list(blobs.names()) == ["parts/a/1"]
    blobs.remove("parts/a/1")
    assert list(blobs.names()) == []
    blobs.put("parts/a/0", b"again")
    assert blobs.get("parts/a/0") == b"again"


def test_names_are_in_order_and_begin_as_asked(blobs):
    every = ["a-b/x", "a/y", "a/z", "a0/x", "b/c/d", "b/c/e"]
    for name in reversed(every):
        blobs.put(name, b"")
    assert list(blobs.names()) == every
    assert list(blobs.names("a/")) == ["a/y", "a/z"]
    assert list(blobs.names("a")) == ["a-b/x", "a/y", "a/z", "a0/x"]
    assert list(blobs.names("b/c/")) == ["b/c/d", "b/c/e"]
    assert list(blobs.names("nothing/")) == []


def test_a_listing_is_of_any_length(blobs):
    """More than a page of any store's."""
    for number in range(1100):
        blobs.put(f"parts/a/{number:08d}", b"")
    assert len(list(blobs.names("parts/a/"))) == 1100


def test_threads_share_a_store(blobs):
    """Each its own names, in one folder too."""

    def work(which: int) -> None:
        for number in range(10):
            blobs.put(f"parts/{which}/{number}", bytes([which]) * 1000)
            blobs.put(f"shared/{which}-{number}", bytes([which]) * 1000)
            blobs.remove(f"parts/{which}/{number}")

    threads = [threading.Thread(target=work, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(blobs.names("parts/")) == []
    assert len(list(blobs.names("shared/"))) == 40
    for which in range(4):
        assert {bytes(blobs.get(f"shared/{which}-{n}")) for n in range(10)} == {
            bytes([which]) * 1000
        }


@pytest.mark.parametrize("name", ["../a", "a/../b", "/a", "a//b", "", "a\0b", "ä", "a/.b"])
def test_a_name_that_is_none_is_refused(blobs, name):
    with pytest.raises(AssertionError):
        blobs.put(name, b"")
