"""Plaintext of private assets: engines and jobs have it in memory, for as long as they may."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from inland.adapters.processes.identity import start_ticks
from tests import memory_scan
from tests.factory import held
from tests.factory.held import (
    IN_MODEL,
    IN_SET,
    MINE,
    begun,
    deployment,
    engine,
    engine_or_none,
    holding,
    job,
    training_set,
    until_served,
)
from tests.factory.running import Running, running
from tests.patience import until

ASK = [{"role": "user", "content": "Where are you?"}]


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("private") / "home") as up:
        held.begin(up)
        yield up


@pytest.fixture(scope="module")
def private_model(factory: Running, model_file: Path, tmp_path_factory) -> str:
    """acme's own weights, served as `mine`."""
    return held.served_model(factory, model_file, tmp_path_factory.mktemp("weights"))


def test_it_is_served_to_its_tenant_from_memory_alone(factory: Running, private_model: str) -> None:
    answer = factory.client("acme").chat.completions.create(model=MINE, messages=ASK, max_tokens=4)
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0
    with pytest.raises(openai.NotFoundError):
        factory.client("demo").chat.completions.create(model=MINE, messages=ASK, max_tokens=4)
    maps = Path(f"/proc/{engine(factory)}/maps").read_text()
    assert "/memfd:inland" in maps
    words = ["grep", "-rslaF", IN_MODEL.decode(), factory.home]
    found = subprocess.run(words, stdout=subprocess.PIPE, check=False)
    assert found.stdout == b"", "it lies readable in the home"


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
    asset = training_set(factory)
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
    asset = training_set(factory)
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
    factory: Running, private_model: str
) -> None:
    """An engine serves the model, a job holds its training set open and has begun a process."""
    work = begun(factory, training_set(factory))
    keeper, serving = work["pid"], engine(factory)
    below = memory_scan.descendants(keeper)
    assert serving in holding(factory, IN_MODEL)
    assert holding(factory, IN_SET) & below
    answer = factory.http("acme-admin").post("/factory/v1/vault/withdraw", json={})
    assert answer.status_code == 200
    assert not [pid for pid in (*below, serving) if start_ticks(pid) is not None]
    with pytest.raises(openai.PermissionDeniedError, match="withdrawn"):
        factory.client("acme").chat.completions.create(model=MINE, messages=ASK)
    until(lambda: not holding(factory, IN_MODEL, IN_SET), "a process holds it still")
    until(lambda: factory.json("job", "show", work["id"])["state"] != "running", "it runs still")
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
    assert start_ticks(serving) is None
    assert holding(factory, IN_MODEL) == set()
    assert MINE not in [one["name"] for one in factory.json("deploy", "list")]
    with pytest.raises(openai.NotFoundError):
        factory.client("acme").chat.completions.create(model=MINE, messages=ASK)
