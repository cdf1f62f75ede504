"""A deployment on vLLM: its process started, told apart by tenant, drained and stopped.

The program on PATH stands for vLLM, which cannot run here; `tests/contract/engine/vllm_stand_in.py`
says from which source each of its shapes is taken. All else is real.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inland.adapters.host.machine import accelerators
from inland.adapters.isolation.shut_in import available, without_files
from inland.adapters.processes.identity import start_ticks
from inland.adapters.weights.digest import file_sha256
from tests.contract.engine import vllm_stand_in
from tests.factory.running import Running, running
from tests.factory.test_replicas import Callers, pid_of
from tests.patience import PATIENCE_S, until
from tests.unit.weights.hostile import safetensors

NAME = "two"  # as the callers of `test_replicas` know it
DECLARED = """
[[model]]
name = "big"
file = "{folder}"
sha256 = "{digest}"
"""


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    """A deployment on what stands for vLLM, of two replicas."""
    assert model_file.exists()
    folder = tmp_path_factory.mktemp("vllm")
    model, path = folder / "model", folder / "bin"
    model.mkdir()
    path.mkdir()
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(safetensors())
    program = path / "vllm"
    program.write_text(f"#!{sys.executable}\n{Path(vllm_stand_in.__file__).read_text()}")
    program.chmod(0o700)
    environment = {"PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
    declared = DECLARED.format(folder=model, digest=file_sha256(model))
    with running(folder / "home", environment=environment, more=declared) as up:
        words = ["--engine", "vllm", "--model", "big", "--replicas", "2", "--threads", "2"]
        up.run("deploy", "add", NAME, *words, "--slots", "4", "--context", "512")
        until(lambda: ready(up) == 2)
        yield up


def ready(factory: Running) -> int:
    told = factory.json("deploy", "show", NAME)["replicas"]
    return sum(one["state"] == "ready" for one in told)


def folder(factory: Running) -> Path:
    return factory.home.parent


def started(factory: Running, replica: str) -> dict[str, Any]:
    """What the program said of its start."""
    told: dict[str, Any] = json.loads(
        (folder(factory) / f"started-engine-{replica}.json").read_text()
    )
    return told


def chat(factory: Running, tenant: str, text: str, **more: Any) -> Any:
    ask = [{"role": "user", "content": text}]
    return factory.client(tenant).chat.completions.create(model=NAME, messages=ask, **more)


def test_it_is_started_as_it_was_deployed(factory: Running) -> None:
    told = started(factory, f"{NAME}-0")
    given = vllm_stand_in.parsed(told["argv"])
    assert (given.max_num_seqs, given.max_model_len, given.tensor_parallel_size) == (4, 512, 2)
    assert (given.served_model_name, given.load_format) == (NAME, "safetensors")
    assert given.uds == str(factory.home / "run" / f"engine-{NAME}-0.sock")
    environment = told["environment"]
    assert environment["HF_HUB_OFFLINE"] == environment["VLLM_NO_USAGE_STATS"] == "1"
    assert ("CUDA_VISIBLE_DEVICES" in environment) is (len(accelerators()) >= 2)
    assert Path(given.uds).stat().st_mode & 0o077 == 0


def test_it_reaches_no_network_and_the_records_say_what_holds_it(
    factory: Running, tmp_path: Path
) -> None:
    answer = chat(factory, "demo", "hello there", max_tokens=3)
    assert answer.choices[0].message.content == "there there there "
    assert (answer.usage.completion_tokens, answer.usage.prompt_tokens) == (3, 3)
    pid = started(factory, f"{NAME}-0")["pid"]
    apart = Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()

    def mine() -> list[dict[str, Any]]:
        told = factory.records("demo", tmp_path)
        return [one for one in told if one.get("deployment") == NAME and one["kind"] == "request"]

    until(mine)
    (record,) = mine()
    assert (record["engine"], record["outcome"]) == ("vllm", "complete")
    assert record["isolation"] == without_files(available())
    assert apart is (record["isolation"] != "none")
    assert record["counted"] == "engine"


def test_no_two_tenants_share_a_salt_and_each_keeps_its_own(factory: Running) -> None:
    factory.run("deploy", "scale", NAME, "1")
    until(lambda: len(factory.json("deploy", "show", NAME)["replicas"]) == 1)
    text = "a prompt of some length that both of them send"
    first, again = (chat(factory, "demo", text, max_tokens=1) for _ in range(2))
    other = chat(factory, "acme", text, max_tokens=1)
    assert first.usage.prompt_tokens_details.cached_tokens == 0
    assert again.usage.prompt_tokens_details.cached_tokens == again.usage.prompt_tokens
    assert other.usage.prompt_tokens_details.cached_tokens == 0
    lines = (folder(factory) / "asked.jsonl").read_text().splitlines()
    salts = [one["cache_salt"] for one in map(json.loads, lines) if text in str(one["messages"])]
    assert salts[0] == salts[1] != salts[2]
    assert not any(tenant in salt for tenant in ("demo", "acme") for salt in salts)
    factory.run("deploy", "scale", NAME, "2")
    until(lambda: ready(factory) == 2)


def test_what_it_cannot_do_is_refused_by_name(factory: Running) -> None:
    with factory.http("demo") as http:
        body = {"model": NAME, "input": "a text"}
        refused = http.post("/v1/embeddings", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "model")
    rows = {one["feature"]: one for one in factory.json("deploy", "show", NAME)["supports"]}
    assert (rows["system"]["supported"], rows["system"]["because"]) == ("yes", "chat template")
    assert (rows["tools"]["supported"], rows["tools"]["because"]) == ("no", "engine")


def test_it_is_measured_like_any_other(factory: Running) -> None:
    told = factory.json("deploy", "measure", NAME)["profile"]
    assert told["knee"] >= 1
    assert told["points"]


def test_a_drain_cuts_nobody_and_ends_all_of_it(factory: Running) -> None:
    started_as = started(factory, f"{NAME}-1")["pid"]
    wrapper = pid_of(factory, f"{NAME}-1")
    callers = Callers(factory)
    answers = callers.ask(8, 100, stream=True)
    assert all(one.begun.wait(PATIENCE_S) for one in answers)
    factory.run("deploy", "scale", NAME, "1")
    assert all(one.whole for one in callers.end())
    until(lambda: start_ticks(started_as) is None and start_ticks(wrapper) is None)
    factory.run("deploy", "scale", NAME, "2")
    until(lambda: ready(factory) == 2)


def test_one_that_is_killed_takes_its_process_along_and_comes_back(factory: Running) -> None:
    inner, wrapper = started(factory, f"{NAME}-0")["pid"], pid_of(factory, f"{NAME}-0")
    callers = Callers(factory)
    callers.ask(8, 60, stream=False)
    time.sleep(0.2)
    os.kill(wrapper, 9)
    assert all(one.whole for one in callers.end())
    until(lambda: start_ticks(inner) is None)
    until(lambda: started(factory, f"{NAME}-0")["pid"] != inner)
    until(lambda: ready(factory) == 2)


def test_without_the_program_it_is_given_up_and_says_why(factory: Running) -> None:
    factory.down()
    path = factory.environment.pop("PATH")
    done = factory.run("up", "--detach", "--offline", "--port", str(factory.port), check=False)
    try:
        assert done.returncode != 0
        assert "no such program as vllm" in done.stdout + done.stderr
    finally:
        factory.run("down", check=False)
        factory.environment["PATH"] = path
        factory.up()
