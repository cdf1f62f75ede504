"""Models come into a running factory clean and signed; an engine loads nothing else."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from inland.adapters.isolation.shut_in import available
from inland.adapters.weights.smollm2 import SMOLLM2
from tests.factory.running import MODEL, Running, running
from tests.unit.weights import hostile


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    """A factory of this file's own, for its weights are meddled with."""
    assert model_file.exists()
    with running(tmp_path_factory.mktemp("models") / "home") as up:
        yield up


def test_a_model_that_was_pulled_is_served(own: Running, model_file: Path) -> None:
    words = ["--name", "mine", "--sha256", SMOLLM2.file_sha256, "--json"]
    told = json.loads(own.run("model", "pull", f"file:{model_file}", *words).stdout)
    assert told["digest"] == f"sha256:{SMOLLM2.file_sha256}"
    assert (told["licence"], told["format"], told["signature"]) == ("apache-2.0", "gguf", "valid")
    assert told["inspected_under"] == available()
    (line,) = [
        one
        for one in own.run("model", "show", "mine").stdout.splitlines()
        if one.startswith("inspected_under")
    ]
    assert line.split()[1] == available()
    own.run("deploy", "add", "pulled", "--model", "mine", "--slots", "1", "--context", "256")
    with own.client("demo") as client:
        made = client.completions.create(model="pulled", prompt="Hi", max_tokens=2)
    assert made.usage
    assert made.usage.completion_tokens >= 1
    own.run("deploy", "remove", "pulled")
    rows = {one["name"]: one for one in own.json("model", "verify")}
    assert rows["mine"]["verified"]
    assert rows["mine"]["sha256"] == SMOLLM2.file_sha256
    (row,) = [one for one in own.json("model", "list") if one["id"] == "mine"]
    assert row == own.json("model", "show", "mine")
    again = own.run("model", "pull", f"file:{model_file}", "--name", "mine", check=False)
    assert again.returncode == 1
    assert "is there already" in again.stderr


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("good.safetensors", pickle.dumps(hostile.Payload()), "a pickle, which runs code"),
        ("good.gguf", hostile.FILES["gguf, dims overflow"][0](), "fits no file"),
        ("more.gguf", hostile.FILES["gguf, of a zip too"][0](), "a zip archive as well"),
    ],
)
def test_what_is_no_clean_model_is_refused_and_leaves_nothing(
    name: str, data: bytes, why: str, own: Running, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    before = sorted(own.home.joinpath("models").rglob("*"))
    refused = own.run("model", "pull", f"file:{path}", "--name", "bad", check=False)
    assert refused.returncode == 1
    assert why in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert sorted(own.home.joinpath("models").rglob("*")) == before
    assert "bad" not in [one["id"] for one in own.json("model", "list")]


def test_nothing_is_fetched_from_where_policy_does_not_let(own: Running) -> None:
    words = ["--endpoint", "https://127.0.0.1:9"]
    refused = own.run("model", "pull", "hf:org/repo/m.gguf", *words, check=False)
    assert refused.returncode == 1
    assert 'permit resource == Endpoint::"127.0.0.1:9" in the policy set' in refused.stderr


def test_an_engine_loads_nothing_that_does_not_verify(own: Running) -> None:
    """One byte of the weights, another signature, none: at each start, whoever starts it."""
    weights = own.home / "models" / SMOLLM2.file
    signature = own.home / "models" / "signed" / SMOLLM2.name / "weights.sig"
    bom = own.home / "models" / "signed" / SMOLLM2.name / "bom.sig"
    good = signature.read_bytes()
    with weights.open("r+b") as file:
        file.seek(50_000_000)
        (was,) = file.read(1)
        file.seek(50_000_000)
        file.write(bytes([was ^ 1]))
    own.down()
    failed = own.run("up", "--detach", "--offline", "--port", str(own.port), check=False)
    assert failed.returncode == 1
    assert "its sha256 is" in failed.stderr
    assert "was signed" in failed.stderr
    with weights.open("r+b") as file:
        file.seek(50_000_000)
        file.write(bytes([was]))
    signature.write_bytes(bom.read_bytes())
    done = own.run("model", "verify", SMOLLM2.name, check=False)
    assert done.returncode == 1
    assert "its sha256 is" in done.stdout
    own.down()
    failed = own.run("up", "--detach", "--offline", "--port", str(own.port), check=False)
    assert failed.returncode == 1
    assert "what was signed is not what factory.toml declares" in failed.stderr
    signature.write_bytes(good)
    own.up()
    with own.client("demo") as client:
        client.completions.create(model=MODEL, prompt="Hi", max_tokens=1)
    assert all(one["verified"] for one in own.json("model", "verify"))
