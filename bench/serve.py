"""The servers of the gateway bench: the upstream stand-in and the three gateways, each pinned.

Every server is a context manager that yields where it listens and ends what it started.
Environments are made from nothing: no variable of the caller's but PATH reaches a server.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from string import Template

import httpx

HERE = Path(__file__).parent
LITELLM_VENV = HERE.parent / ".venv-litellm"
#: The longest a server may take to answer first, in seconds; LiteLLM imports for half a minute.
START_S = 120
STOP_S = 20
#: A chat completion as vLLM or llama.cpp would answer it, constant.
ANSWER = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "A pump moves fluid. " * 12},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 31, "completion_tokens": 60, "total_tokens": 91},
    }
)


@dataclass(frozen=True)
class Target:
    """Where requests go: `name` in the output, the chat URL, the key and model to send."""

    name: str
    port: int
    key: str
    model: str

    @property
    def url(self) -> str:
        """The chat completions endpoint."""
        return f"http://127.0.0.1:{self.port}/v1/chat/completions"

    @property
    def body(self) -> bytes:
        """The one request that is sent over and over."""
        messages = [
            {"role": "system", "content": "You write maintenance notes."},
            {"role": "user", "content": "What does a pump do, and how does it fail?"},
        ]
        return json.dumps({"model": self.model, "messages": messages, "max_tokens": 64}).encode()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pinned(core: int, *argv: str) -> list[str]:
    """`argv`, held to one core with all it starts."""
    return ["taskset", "-c", str(core), *argv]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """A fresh environment: PATH, a home inside `folder`, and what is named."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return {"PATH": path, "HOME": str(folder), "LC_ALL": "C.UTF-8", **more}


@contextmanager
def _process(argv: list[str], env: dict[str, str], log: Path) -> Iterator[None]:
    """`argv` runs inside the block; its output goes to `log`."""
    with log.open("wb") as out, subprocess.Popen(argv, env=env, stdout=out, stderr=out) as child:
        try:
            yield
        finally:
            child.terminate()
            try:
                child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()


def await_answer(target: Target, log: Path) -> None:
    """Return once `target` has answered the bench's request as the upstream would."""
    end = time.monotonic() + START_S
    headers = {"authorization": f"Bearer {target.key}", "content-type": "application/json"}
    said = "nothing"
    while time.monotonic() < end:
        try:
            answer = httpx.post(target.url, content=target.body, headers=headers, trust_env=False)
            said = answer.text
            if answer.status_code == 200 and "moves fluid" in said:
                return
        except httpx.HTTPError as error:
            said = repr(error)
        time.sleep(0.2)
    tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
    raise SystemExit(f"{target.name} did not answer in {START_S} s: {said}\n{tail}")


@contextmanager
def _nginx(target: Target, core: int, folder: Path, blocks: str) -> Iterator[Target]:
    folder.mkdir()
    text = Template((HERE / "nginx.conf").read_text())
    (folder / "nginx.conf").write_text(text.substitute(folder=folder, blocks=blocks))
    argv = pinned(core, "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"))
    log = folder / "out.log"
    with _process(argv, environment(folder), log):
        await_answer(target, log)
        yield target


#: nginx as the upstream: $port, $answer.
ANSWERING = """
server {
    listen 127.0.0.1:$port backlog=1024;
    location / { return 200 '$answer'; }
}
"""
#: nginx as a gateway: $port, $behind, $more directives.
PROXYING = """
upstream engine {
    server 127.0.0.1:$behind;
    keepalive 512;
    keepalive_requests 1000000000;
}
server {
    listen 127.0.0.1:$port backlog=1024;
    location / {
        proxy_pass http://engine;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        $more
    }
}
"""


@contextmanager
def upstream(core: int, folder: Path) -> Iterator[Target]:
    """An nginx that answers every request with `ANSWER`: the quickest upstream to be had."""
    target = Target("direct", free_port(), "none", "m")
    blocks = Template(ANSWERING).substitute(port=target.port, answer=ANSWER)
    with _nginx(target, core, folder / "upstream", blocks) as ready:
        yield ready


@contextmanager
def nginx(core: int, folder: Path, behind: Target, more: str = "") -> Iterator[Target]:
    """A bare `proxy_pass`: no key, no policy, no meter, no record. `more`: directives."""
    target = Target("nginx", free_port(), "none", "m")
    blocks = Template(PROXYING).substitute(port=target.port, behind=behind.port, more=more)
    with _nginx(target, core, folder / "nginx", blocks) as ready:
        yield ready


def install_litellm() -> None:
    """LiteLLM's own environment, made once per requirements file."""
    requirements = HERE / "litellm-requirements.txt"
    stamp = LITELLM_VENV / ".installed"
    if stamp.exists() and stamp.read_text() == requirements.read_text():
        return
    pip = [str(LITELLM_VENV / "bin" / "python"), "-m", "pip", "install", "-qq"]
    subprocess.run([sys.executable, "-m", "venv", str(LITELLM_VENV)], check=True)
    subprocess.run([*pip, "-r", str(requirements)], check=True)
    stamp.write_text(requirements.read_text())


@contextmanager
def litellm(core: int, folder: Path, behind: Target) -> Iterator[Target]:
    """The LiteLLM proxy with one worker: its key authentication on, no database."""
    home = folder / "litellm"
    home.mkdir()
    target = Target("litellm", free_port(), f"sk-{secrets.token_hex(16)}", "bench")
    config = home / "config.yaml"
    text = Template((HERE / "litellm.yaml").read_text())
    upstream_url = f"http://127.0.0.1:{behind.port}"
    config.write_text(text.substitute(upstream=upstream_url, key=target.key))
    program = str(LITELLM_VENV / "bin" / "litellm")
    address = ["--host", "127.0.0.1", "--port", str(target.port)]
    argv = pinned(core, program, "--config", str(config), "--num_workers", "1", *address)
    quiet = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with _process(argv, environment(home, **quiet), home / "out.log"):
        await_answer(target, home / "out.log")
        yield target


@dataclass(frozen=True)
class Factory:
    """A running factory and what its books count."""

    target: Target
    home: Path
    core: int

    def run(self, *words: str) -> str:
        """`inland WORDS --home HOME`; what it printed."""
        return inland_says(self.core, self.home, *words)

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds each process of the factory has used so far, by its name."""
        used = {}
        for process in json.loads(self.run("status", "--json"))["processes"]:
            stat = Path(f"/proc/{process['pid']}/stat").read_text().rpartition(")")[2].split()
            used[process["name"]] = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        return used

    def requests_booked(self) -> int:
        """How many requests of the bench's tenant are booked, once the count stands still."""
        last = -1
        while True:
            rows = json.loads(self.run("usage", "--tenant", "bench", "--json"))
            now: int = sum(row["requests"] for row in rows)
            if now == last:
                return now
            last = now
            time.sleep(2.5)


def inland_says(core: int | None, home: Path, *words: str) -> str:
    """`inland WORDS --home HOME`, held to `core` if one is named; what it printed."""
    program = str(Path(sys.executable).with_name("inland"))
    argv = [program, *words, "--home", str(home)]
    if core is not None:
        argv = pinned(core, *argv)
    done = subprocess.run(
        argv,
        env=environment(Path.home()),
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"inland {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


def without_deployments(text: str) -> str:
    """A factory.toml that declares no deployment: no engine runs beside the gateway."""
    kept, inside = [], False
    for line in text.splitlines(keepends=True):
        if line.startswith("["):
            inside = line.strip() == "[[deployment]]"
        if not inside or line.startswith("#"):
            kept.append(line)
    return "".join(kept)


@contextmanager
def inland(
    core: int, folder: Path, behind: Target, slots: int = 256, **limits: int
) -> Iterator[Factory]:
    """The whole factory (supervisor, control, one gateway) on one core, everything on.

    `limits`: of factory.toml, beside its defaults.
    """
    home, port = folder / "inland" / "home", free_port()
    home.parent.mkdir()
    with bare_factory(core, home, port, **limits):
        upstream_url = f"http://127.0.0.1:{behind.port}/v1"
        declared = ["--engine", "openai", "--url", upstream_url, "--upstream-model", "m"]
        words = ["deploy", "add", "bench", *declared, "--jurisdiction", "ZZ", "--permit-endpoint"]
        inland_says(core, home, *words, "--slots", str(slots))
        inland_says(core, home, "tenant", "add", "bench")
        told = json.loads(inland_says(core, home, "key", "add", "--tenant", "bench", "--json"))
        factory = Factory(Target("inland", port, told["key"], "bench"), home, core)
        await_answer(factory.target, home / "logs" / "gateway-0.log")
        yield factory


def with_limits(declared: str, limits: Mapping[str, int]) -> str:
    """A factory.toml with other limits than its own."""
    raised = "".join(f"{name} = {value}\n" for name, value in limits.items())
    return declared.replace("[limits]\n", f"[limits]\n{raised}")


@contextmanager
def bare_factory(core: int | None, home: Path, port: int, **limits: int) -> Iterator[None]:
    """A factory that serves nothing, made in `home`, on one core where one is named.

    `limits`: of factory.toml, beside its defaults.
    """
    words = ["up", "--detach", "--port", str(port)]
    inland_says(core, home, *words)
    inland_says(core, home, "down")
    said = home / "factory.toml"
    text = without_deployments(said.read_text())
    said.write_text(with_limits(text, limits))
    inland_says(core, home, *words)
    try:
        yield
    finally:
        inland_says(core, home, "down")


def versions(*, litellm: bool = True) -> dict[str, str]:
    """What ran: the versions of every server and of the load generator."""
    said = subprocess.run(
        ["nginx", "-v"], capture_output=True, text=True, env=environment(HERE), check=True
    ).stderr
    wrk = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    found = {
        "inland": metadata.version("inland"),
        "nginx": said.strip().rpartition("/")[2],
        "wrk": " ".join(wrk.split()[1:2]),
        "python": sys.version.split()[0],
    }
    if litellm:
        program = [str(LITELLM_VENV / "bin" / "python"), "-c"]
        code = "from importlib.metadata import version; print(version('litellm'))"
        told = subprocess.run([*program, code], capture_output=True, text=True, check=True).stdout
        found["litellm"] = told.strip()
    return found


def demand_programs() -> None:
    """End with one line if a program that the bench needs is not here."""
    path = environment(HERE)["PATH"]
    lacking = [p for p in ("nginx", "wrk", "gcc", "taskset") if shutil.which(p, path=path) is None]
    if lacking:
        names = ", ".join(lacking)
        raise SystemExit(f"not installed: {names}; on Debian: apt-get install nginx-light wrk gcc")
