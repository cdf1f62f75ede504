"""`inland asset`: from a file to the vault and back, cut and gone on with, erased and certified."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pyrage
import pytest
from pyrage.x25519 import Identity

from inland.domain.assets import PART_BYTES
from tests import thief
from tests.factory.running import Running, running, verify_outside
from tests.patience import until

CANARY = b"canary-3b61-of-the-coal-mine"
#: Of a file whose upload is cut.
PARTS = 12


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    assert model_file.exists()
    with running(tmp_path_factory.mktemp("assets") / "home") as up:
        yield up


def _file(folder: Path, parts: int = 2, name: str = "corpus.bin") -> Path:
    """Some parts and a bit, each different, the canary in all of them."""
    path = folder / name
    with path.open("wb") as out:
        for number in range(parts):
            block = hashlib.sha256(str(number).encode()).digest() * (PART_BYTES // 32)
            out.write(CANARY + block[len(CANARY) :])
        out.write(CANARY)
    return path


def _holds_canary(folder: Path) -> list[Path]:
    return [path for path, data in thief.files(folder) if CANARY in data]


def test_an_asset_goes_in_and_out_and_rests_unreadable(factory: Running, tmp_path: Path):
    path = _file(tmp_path)
    words = ("--tenant", "acme", "--kind", "dataset", "--name", "harbour-log")
    asset = factory.json("asset", "add", str(path), *words)["id"]
    (listed,) = [one for one in factory.json("asset", "list") if one["id"] == asset]
    assert (listed["name"], listed["bytes"]) == ("harbour-log", path.stat().st_size)
    out = tmp_path / "out.bin"
    factory.run("asset", "export", asset, "-o", str(out))
    assert out.read_bytes() == path.read_bytes()
    assert _holds_canary(factory.home) == []
    texts = thief.lying(factory.home, [b"harbour-log"])
    assert texts == {}, "names are sealed in the database, its log, records and logs"
    assert "harbour-log" in factory.run("asset", "show", asset).stdout


def test_a_part_that_does_not_open_is_named_and_nothing_is_written(
    factory: Running, tmp_path: Path
):
    """It is not the first that is asked for at once: its answer had begun."""
    path, out = _file(tmp_path), tmp_path / "out.bin"
    words = ("--tenant", "acme", "--name", "damaged")
    asset = factory.json("asset", "add", str(path), *words)["id"]
    with (factory.home / "vault/parts" / asset / "00000001").open("r+b") as blob:
        blob.write(b"\1" + b"\0" * 12)
    done = factory.run("asset", "export", asset, "-o", str(out), check=False)
    assert done.returncode == 1
    assert f"part 1 of asset {asset} is missing or was changed" in done.stderr
    assert list(tmp_path.iterdir()) == [path]


def test_a_tenant_does_it_with_its_own_key_and_through_the_port(factory: Running, tmp_path: Path):
    path = _file(tmp_path, parts=1)
    acme, demo = factory.as_tenant("acme"), factory.as_tenant("demo")
    asset = acme.json("asset", "add", str(path), "--name", "own")["id"]
    assert demo.run("asset", "show", asset, check=False).returncode == 1
    factory.run("asset", "share", asset, "--with", "demo")
    out = tmp_path / "shared.bin"
    demo.run("asset", "export", asset, "-o", str(out))
    assert out.read_bytes() == path.read_bytes()
    with factory.http("acme") as http:
        body = {"kind": "dataset", "name": "by hand", "bytes": PART_BYTES + 1}
        upload = http.post("/factory/v1/assets", json=body).json()
        at = f"/factory/v1/assets/{upload['id']}"
        octets = {"content-type": "application/octet-stream"}
        for number, part in enumerate((b"a" * PART_BYTES, b"b")):
            put = http.put(f"{at}/parts/{number}", content=part, headers=octets)
            assert put.status_code == 204, put.text
        assert http.put(f"{at}/parts/0", json={}).status_code == 400
        assert http.post(f"{at}/finish").json()["version"] == 1
        export = http.post(f"{at}/exports", json={}).json()["id"]
        assert http.get(f"{at}/exports/{export}/parts/1").content == b"b"
        assert http.get(f"{at}/exports/{export}/parts/0").content == b"a" * PART_BYTES
        both = http.get(f"{at}/exports/{export}/parts/0", params={"count": 2}).content
        assert both == b"a" * PART_BYTES + b"b"
        for beyond in (3, upload["parts_on_socket"] + 1):
            words = {"count": beyond}
            assert http.get(f"{at}/exports/{export}/parts/0", params=words).status_code == 400


def test_an_export_is_sealed_for_whom_it_is_for(factory: Running, tmp_path: Path):
    path, out, own = _file(tmp_path, parts=1), tmp_path / "out.age", Identity.generate()
    asset = factory.json("asset", "add", str(path), "--tenant", "acme", "--name", "sealed")["id"]
    for wrong in (("--recipient", "age1nobody"), ("--destination", "US")):
        done = factory.run("asset", "export", asset, "-o", str(out), *wrong, check=False)
        assert done.returncode == 1, done.stdout
        assert not out.exists()
    told = factory.json(
        "asset", "export", asset, "-o", str(out), "--recipient", str(own.to_public())
    )
    assert told["sealed"] is True
    assert CANARY not in out.read_bytes()
    assert pyrage.decrypt(out.read_bytes(), [own]) == path.read_bytes()


def _cut(factory: Running, words: list[str]) -> bool:
    """Kill an upload once some of it is there; whether some of it was still to come."""
    argv = [str(Path(sys.executable).with_name("inland")), *words, "--home", str(factory.home)]
    vault = factory.home / "vault"

    def parts() -> int:
        return sum(1 for _ in vault.glob("parts/*/*"))

    before = parts()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as upload:
        until(lambda: parts() >= before + 2)
        upload.kill()
        upload.communicate()
    return parts() < before + PARTS


def test_an_upload_that_was_cut_goes_on_with_the_same_file(factory: Running, tmp_path: Path):
    path = _file(tmp_path, parts=PARTS)
    words = ["asset", "add", str(path), "--tenant", "acme", "--json", "--name"]
    name = next(name for name in map(str, count()) if _cut(factory, [*words, name]))
    assert name not in [one["name"] for one in factory.json("asset", "list")]
    told = json.loads(factory.run(*words, name).stdout)
    out = tmp_path / "out.bin"
    factory.run("asset", "export", told["id"], "-o", str(out))
    assert out.read_bytes() == path.read_bytes()


def test_what_was_erased_is_gone_and_anybody_can_check_the_certificate(
    factory: Running, tmp_path: Path
):
    path = _file(tmp_path)
    words = ("--tenant", "acme", "--name", "doomed")
    asset = factory.json("asset", "add", str(path), *words)["id"]
    child = factory.json("asset", "add", str(path), *words, "--from", asset)["id"]
    file = tmp_path / "certificate.json"
    told = factory.json("asset", "erase", asset, "--yes", "-o", str(file))
    assert set(told["erased"]) == {asset, child}
    assert verify_outside(file, factory.vkey(tmp_path)).returncode == 0
    record = json.loads(file.read_bytes())["chain"][0]["record"]
    assert (record["what"], record["subject"]) == ("asset.erase", asset)
    assert record["details"]["opens"] is False
    for gone in (asset, child):
        done = factory.run("asset", "export", gone, "-o", str(tmp_path / "no"), check=False)
        assert done.returncode == 1
        assert not [p for p in factory.home.rglob("*") if gone in p.name]
    assert _holds_canary(factory.home) == []
