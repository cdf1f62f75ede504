"""A backup takes sealed content and pulled models: the restored factory opens what the keys' own
copy opens, and what was erased since stays erased."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factory.running import Running, running
from tests.unit.weights import hostile

CANARY = b"canary-77d1-of-the-backups"
CONTENT = CANARY * 200_000  # two parts


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    assert model_file.exists()
    with running(tmp_path_factory.mktemp("content") / "home") as up:
        yield up


def test_a_restored_factory_opens_what_the_keys_open_and_nothing_that_was_erased(
    own: Running, tmp_path: Path
) -> None:
    file, weights = tmp_path / "file", tmp_path / "small.gguf"
    file.write_bytes(CONTENT)
    weights.write_bytes(hostile.gguf())
    words = ("asset", "add", str(file), "--tenant", "acme", "--name")
    stays, doomed = (own.json(*words, name)["id"] for name in ("stays", "doomed"))
    own.run("model", "pull", f"file:{weights}", "--name", "small")
    with own.http("acme") as http:
        body = {"kind": "dataset", "name": "under way", "bytes": 8}
        begun = http.post("/factory/v1/assets", json=body).json()["id"]
    plain = own.run("backup", str(tmp_path / "without"), "--without-content", "--json")
    left = {one["path"]: one for one in json.loads(plain.stdout)["left_out"]}
    assert "copy the folder" in left["vault"]["why"]
    assert f"inland model pull file:{weights} --name small" in left["models/small.gguf"]["why"]
    done = own.run("backup", str(tmp_path / "b"), "--with-models", "--json")
    made = json.loads(done.stdout)
    assert {one["path"] for one in made["left_out"]} == {"keys/vault"}
    assert not made["missing"]
    assert "content of assets" in done.stderr, "how large it will be is said first"
    told = int(done.stderr.partition("it takes ")[2].split()[0])
    assert told <= made["bytes"] < told * 1.05 + 65_536
    assert CANARY not in (tmp_path / "b").read_bytes()

    own.run("asset", "erase", doomed, "--yes", "-o", str(tmp_path / "certificate"))
    again = Running(tmp_path / "again", keys=own.keys)
    again.run("restore", str(tmp_path / "b"))
    again.up()
    try:
        why = again.json("status")["control"]["wrong"]["vault keys"]
        assert "put the copy of keys/vault back" in why
        out = tmp_path / "out"
        refused = again.run("asset", "export", stays, "-o", str(out), check=False)
        assert refused.returncode == 1
        shutil.copytree(
            own.home / "keys" / "vault", again.home / "keys" / "vault", dirs_exist_ok=True
        )
        again.run("asset", "export", stays, "-o", str(out))
        assert out.read_bytes() == CONTENT
        assert again.run("asset", "export", doomed, "-o", str(out), check=False).returncode == 1
        found = json.loads(again.run("vault", "check", "--json", check=False).stdout)
        assert {(one["wrong"], one["asset"]) for one in found} == {
            ("keyless", doomed),
            ("orphan", begun),  # the key of what was being uploaded, which begins anew
        }
        (again.home / "models" / "small.gguf").unlink()
        again.run("model", "pull", f"file:{weights}", "--name", "small")
        rows = {row["name"]: row["verified"] for row in again.json("model", "verify")}
        assert rows["small"]
        assert all(rows.values())
        with again.http("acme") as http:
            body = {"kind": "dataset", "name": "under way", "bytes": 8}
            assert http.post("/factory/v1/assets", json=body).status_code == 201
    finally:
        again.run("down", check=False)
