"""Plaintext of private assets: engines and jobs have it in memory, for as long as they may."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests import memory_scan
from tests.factory.running import Running, running
from tests.patience import PATIENCE_S, until

ASK = [{"role": "user", "content": "Where are you?"}]
MINE = "mine"
#: Planted in the model's metadata, and many times in the training set.
IN_MODEL, IN_SET = b"canary-in-the-weights-51c7e0", b"canary-in-the-training-set-9d02"

#: A trainer: holds its training set open and in its memory, and begins another process.
TRAINER = """
import mmap, os, subprocess, sys, time
from pathlib import Path
file = open(sys.argv[1], "rb")
mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
text = file.read()
Path("/tmp/scratch").write_bytes(text)
child = subprocess.Popen(["setsid", "sleep", "1000"])
print(len(text), text == mapped[:], sorted(os.listdir("/sys/class/net")) if
    os.path.exists("/sys/class/net") else "no network", os.path.exists(sys.argv[2]), flush=True)
time.sleep(1000)
"""


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("private") / "home") as up:
        words = ("--tenant", "acme", "--role", "tenant-admin")
        up.keys["acme-admin"] = up.json("key", "add", *words)["key"]
        yield up


@pytest.fixture(scope="module")
def private_model(factory: Running, model_file: Path, tmp_path_factory) -> str:
    """acme's own weights, served as `mine`."""
    file = tmp_path_factory.mktemp("weights") / "own.gguf"
    program = str(Path(sys.executable).with_name("gguf-new-metadata"))
    words = ["--general-description", IN_MODEL.decode(), str(model_file), str(file)]
    subprocess.run([program, *words], check=True, capture_output=True, timeout=PATIENCE_S)
    asset = add(factory, file, "model")
    file.unlink()
    factory.run("deploy", "add", MINE, "--model", f"asset:{asset}", "--context", "256")
    until_served(factory)
    return asset


def add(factory: Running, file: Path, kind: str) -> str:
    words = ("asset", "add", str(file), "--tenant", "acme", "--kind", kind, "--name", file.name)
    return str(factory.json(*words)["id"])


def training_set(factory: Running, folder: Path) -> str:
    file = folder / "set.jsonl"
    file.write_bytes((IN_SET + b" " + os.urandom(64).hex().encode() + b"\n") * 60_000)
    return add(factory, file, "dataset")


def until_served(factory: Running) -> None:
    def ready() -> bool:
        return any(one["state"] == "ready" for one in deployment(factory)["replicas"])

    until(ready, "the private model is not served")


def deployment(factory: Running) -> dict[str, Any]:
    return dict(factory.json("deploy", "show", MINE))


def engine_or_none(factory: Running) -> int | None:
    found = [one for one in factory.processes("engine") if one["name"] == f"engine-{MINE}-0"]
    return found[0]["pid"] if found else None


def engine(factory: Running) -> int:
    found = engine_or_none(factory)
    assert found is not None
    return found


def job(factory: Running, *words: str) -> subprocess.CompletedProcess[str]:
    """`inland job run` for acme; the command is behind `--`."""
    inland = str(Path(sys.executable).with_name("inland"))
    argv = [inland, "job", "run", "--home", str(factory.home), "--json", "--tenant", "acme", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def begun(factory: Running, asset: str) -> dict[str, Any]:
    """A job that holds its set open and in its memory; returns once it does."""
    words = ("--detach", "--asset", asset, "--", sys.executable, "-c", TRAINER)
    done = job(factory, *words, f"asset:{asset}", str(factory.home))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["id"]
    until(lambda: factory.json("job", "show", told)["pid"], "the job does not run")
    keeper = factory.json("job", "show", told)["pid"]
    below = lambda: memory_scan.descendants(keeper)  # noqa: E731 - a name for what is looked at
    until(lambda: len(below()) == 4 and memory_scan.holding(IN_SET, below()), "it reads nothing")
    return dict(factory.json("job", "show", told))


def holding(factory: Running, canary: bytes) -> set[int]:
    """The factory's processes whose memory has it."""
    return memory_scan.holding(canary, memory_scan.descendants(factory.pid("supervisor")))


def test_it_is_served_to_its_tenant_from_memory_alone(factory: Running, private_model: str) -> None:
    answer = factory.client("acme").chat.completions.create(model=MINE, messages=ASK, max_tokens=4)
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0
    with pytest.raises(openai.NotFoundError):
        factory.client("demo").chat.completions.create(model=MINE, messages=ASK, max_tokens=4)
    maps = Path(f"/proc/{engine(factory)}/maps").read_text()
    assert "/memfd:inland" in maps
    found = subprocess.run(["grep", "-rlaF", IN_MODEL.decode(), factory.home], check=False)
    assert found.returncode == 1, "it lies readable in the home"


def test_whom_it_is_shared_with_uses_it_for_as_long(factory: Running, private_model: str) -> None:
    ask = {"model": MINE, "messages": ASK, "max_tokens": 2}
    factory.run("asset", "share", private_model, "--with", "demo")
    factory.client("demo").chat.completions.create(**ask)
    factory.run("asset", "share", private_model, "--without", "demo")
    with pytest.raises(openai.NotFoundError):
        factory.client("demo").chat.completions.create(**ask)
    factory.client("acme").chat.completions.create(**ask)


def test_an_engine_that_dies_loads_it_from_the_vault_again(
    factory: Running, private_model: str
) -> None:
    before = engine(factory)
    os.kill(before, signal.SIGKILL)
    until(lambda: engine_or_none(factory) not in {None, before}, "it does not come back")
    until_served(factory)
    factory.client("acme").chat.completions.create(model=MINE, messages=ASK, max_tokens=2)


def test_a_job_reads_its_assets_and_what_it_prints_is_an_asset(
    factory: Running, tmp_path: Path
) -> None:
    asset = training_set(factory, tmp_path)
    done = job(factory, "--asset", asset, "--", "sh", "-c", 'head -c 31 "$INLAND_ASSETS"/*; exit 0')
    told = json.loads(done.stdout)
    assert (told["state"], told["exit_status"], told["why"]) == ("done", 0, "")
    made = factory.json("asset", "show", told["output"])
    assert (made["parents"], made["run"], made["tenant"]) == ([asset], told["id"], "acme")
    out = tmp_path / "out"
    factory.run("asset", "export", told["output"], "-o", str(out))
    assert out.read_bytes() == IN_SET
    failed = job(factory, "--asset", asset, "--", "sh", "-c", "exit 3")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["why"] == "it ended with 3"


def test_a_job_sees_no_network_and_no_home(factory: Running, tmp_path: Path) -> None:
    asset = training_set(factory, tmp_path)
    look = "ls -A /sys/class/net /root; test -e %s && echo home; cat /proc/net/dev | wc -l; "
    look += "grep core /proc/self/limits; touch /usr/x"
    told = json.loads(job(factory, "--asset", asset, "--", "sh", "-c", look % factory.home).stdout)
    out = tmp_path / "out"
    factory.run("asset", "export", told["output"], "-o", str(out))
    text = out.read_text()
    assert "home" not in text
    assert "Read-only file system" in text
    assert "\n3\n" in text, "loopback alone, behind two lines of headings"
    assert re.search(r"^Max core file size +1 +1 ", text, re.MULTILINE)


def test_after_a_withdrawal_its_plaintext_is_in_no_process(
    factory: Running, private_model: str, tmp_path: Path
) -> None:
    """An engine serves the model, a job holds its training set open and has begun a process."""
    work = begun(factory, training_set(factory, tmp_path))
    keeper, serving = work["pid"], engine(factory)
    held = {canary: holding(factory, canary) for canary in (IN_MODEL, IN_SET)}
    assert serving in held[IN_MODEL]
    assert held[IN_SET] & memory_scan.descendants(keeper)
    below = memory_scan.descendants(keeper)
    began = time.monotonic()
    answer = factory.http("acme-admin").post("/factory/v1/vault/withdraw", json={})
    took_s = time.monotonic() - began
    assert answer.status_code == 200
    assert not [pid for pid in (*below, serving) if Path(f"/proc/{pid}").exists()]
    print(json.dumps({"figure": "withdrawn_s", "value": took_s}))
    with pytest.raises(openai.PermissionDeniedError, match="withdrawn"):
        factory.client("acme").chat.completions.create(model=MINE, messages=ASK)
    left = {canary: holding(factory, canary) for canary in (IN_MODEL, IN_SET)}
    handled = {
        factory.pid("control")
    }  # it sealed and opened them: what it freed may be there still
    assert left[IN_MODEL] | left[IN_SET] <= handled
    told = factory.json("job", "show", work["id"])
    assert told["state"] == "ended"
    assert told["why"].startswith("acme has withdrawn its keys")
    assert deployment(factory)["held_back"] == "acme has withdrawn its keys"
    assert factory.http().get("/readyz").status_code == 200, "nothing waits for it"
    factory.run("vault", "give-back", "--tenant", "acme")
    until_served(factory)
    factory.client("acme").chat.completions.create(model=MINE, messages=ASK, max_tokens=2)


def test_a_restarted_factory_loads_it_again_but_not_while_keys_are_withdrawn(
    factory: Running, private_model: str
) -> None:
    factory.run("vault", "withdraw", "--tenant", "acme")
    factory.down()
    factory.up()
    assert deployment(factory)["held_back"] == "acme has withdrawn its keys"
    assert engine_or_none(factory) is None
    factory.run("vault", "give-back", "--tenant", "acme")
    until_served(factory)


def test_an_erased_models_engine_ends_before_it_is_certified(
    factory: Running, private_model: str, tmp_path: Path
) -> None:
    serving = engine(factory)
    certificate = str(tmp_path / "erased.json")
    factory.run("asset", "erase", private_model, "--yes", "-o", certificate)
    assert not Path(f"/proc/{serving}").exists()
    assert holding(factory, IN_MODEL) <= {factory.pid("control")}
    assert MINE not in [one["name"] for one in factory.json("deploy", "list")]
    with pytest.raises(openai.NotFoundError):
        factory.client("acme").chat.completions.create(model=MINE, messages=ASK)
