"""A real factory in a folder, driven the way a person would: by its commands and its HTTP port."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from weakref import finalize

import httpx
import openai

from inland import settings
from inland.adapters.home.layout import Home
from inland.adapters.home.listening import Listening
from inland.adapters.weights.cache import WeightsCache
from inland.cli.first_start import first_start
from tests.factory import commands
from tests.patience import PATIENCE_S, until
from tests.ports import free_port

#: Longest a command of the factory may take before a test calls it hung, in seconds.
COMMAND_TIMEOUT_S = 600
#: What a command says that nobody heard: between a kill of control and its next start.
_UNHEARD = "control does not answer ([Errno 111] Connection refused)"
MODEL = "smollm2"
VERIFIER = Path(__file__).parents[2] / "verifier" / "inland_verify.py"


@dataclass
class Running:
    """One factory home and the commands on it. `keys` holds an API key per tenant."""

    home: Path
    port: int = field(default_factory=free_port)
    keys: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`inland WORDS --home HOME`; with `check`, a non-zero exit fails the test, and what
        control was not there to hear is said again, as the command asks for."""
        done = self._run(*words)
        while check and done.returncode and _UNHEARD in done.stderr:
            until(lambda: _UNHEARD not in self._run("tenant", "list").stderr, done.stderr)
            done = self._run(*words)
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv, given = [*words, "--home", str(self.home)], os.environ | self.environment
        if "PYTHONPATH" not in self.environment:
            return commands.run(argv, given, COMMAND_TIMEOUT_S)
        program = str(Path(sys.executable).with_name("inland"))  # another than was loaded
        return subprocess.run(
            [program, *argv],
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
            env=given,
        )

    def json(self, *words: str) -> Any:
        """What the command prints with `--json`, parsed."""
        return json.loads(self.run(*words, "--json").stdout)

    def make(self, more: str = "", listening: Listening | None = None, **limits: int) -> None:
        """The home as a first `up` makes it, not started; its factory.toml says `more`, and these
        limits."""
        given, before = settings.from_environment(), os.umask(0o077)
        try:
            cache, said = WeightsCache(given.cache, given.environment), listening or Listening()
            made = first_start(
                Home(self.home),
                cache,
                site=None,
                port=self.port,
                gateways=1,
                listening=said,
                offline=True,
                wheel=None,
            )
        finally:
            os.umask(before)
        self._learn(made)
        self._limit(**limits)
        with (self.home / "factory.toml").open("a") as toml:
            toml.write(more)

    def _learn(self, keys: dict[str, str]) -> None:
        self.keys |= {t: k for t, k in keys.items() if t != "operator"}

    def _limit(self, **limits: int) -> None:
        file = self.home / "factory.toml"
        set_ = "".join(f"{name} = {value}\n" for name, value in limits.items())
        file.write_text(file.read_text().replace("[limits]\n", f"[limits]\n{set_}", 1))

    def up(self, *words: str) -> None:
        """Start detached, without the network, and learn the keys of a first start."""
        told = self.json("up", "--detach", "--offline", "--port", str(self.port), *words)
        self._learn(told.get("keys", {}))

    def restart_with(self, **limits: int) -> None:
        """Down, these limits into factory.toml, and up again."""
        self.down()
        self._limit(**limits)
        self.up()

    def down(self) -> None:
        self.run("down")

    def as_tenant(self, tenant: str) -> "Running":
        """The same factory, its commands run with the tenant's key instead of the operator's."""
        return replace(self, environment={"INLAND_API_KEY": self.keys[tenant]})

    def key(self, tenant: str, *words: str) -> str:
        """A new key for `tenant`, remembered."""
        self.keys[tenant] = self.json("key", "add", "--tenant", tenant, *words)["key"]
        return self.keys[tenant]

    def client(self, tenant: str, **options: Any) -> openai.OpenAI:
        """The official client, holding the tenant's key."""
        options = {"max_retries": 0, "timeout": PATIENCE_S, **options}
        http = options.setdefault("http_client", openai.DefaultHttpxClient())
        client = openai.OpenAI(base_url=f"{self.url}/v1", api_key=self.keys[tenant], **options)
        finalize(client, http.close)  # one that a test leaves open is closed with it
        return client

    def http(self, tenant: str | None = None, **options: Any) -> httpx.Client:
        """A bare HTTP client on the port, with the tenant's key if one is named."""
        headers = {"authorization": f"Bearer {self.keys[tenant]}"} if tenant else {}
        verify = options.get("verify", True)
        transport = options.setdefault("transport", httpx.HTTPTransport(verify=verify))
        client = httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_S, **options)
        finalize(client, transport.close)
        return client

    @property
    def operator_key(self) -> str:
        return (self.home / "keys" / "operator").read_text().strip()

    def processes(self, role: str | None = None) -> list[dict[str, Any]]:
        """The process table of `inland status`, of one role if named."""
        table: list[dict[str, Any]] = self.json("status")["processes"]
        return [p for p in table if role in {None, p["role"]}]

    def pid(self, role: str) -> int:
        (process,) = [p for p in self.processes(role) if p["pid"]]
        return int(process["pid"])

    def kill(self, role: str) -> None:
        """`kill -9` the one process of `role`."""
        os.kill(self.pid(role), signal.SIGKILL)

    @contextmanager
    def held(self, replica: str = f"{MODEL}-0") -> Iterator[None]:
        """Inside, that engine does nothing: what it is at comes to no end by itself."""
        (pid,) = [one["pid"] for one in self.processes("engine") if one["replica"] == replica]
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def engine_counters(self, replica: str = f"{MODEL}-0") -> dict[str, int]:
        """The engine's own counts: prompt tokens processed, tokens generated, requests at work."""
        path = self.home / "run" / f"engine-{replica}.sock"
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=PATIENCE_S) as http:
            text = http.get("http://engine/metrics").text
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#")
        return {
            "prompt": int(values["llamacpp:prompt_tokens_total"]),
            "completion": int(values["llamacpp:tokens_predicted_total"]),
            "processing": int(values["llamacpp:requests_processing"]),
        }

    def vkey(self, folder: Path) -> Path:
        """The log's public key in a file, as an auditor would keep it."""
        path = folder / "vkey"
        path.write_text(self.run("ledger", "vkey").stdout)
        return path

    def receipt(self, ref: str, path: Path, *words: str) -> Path:
        """In `path`, once what it proves is booked: a command waits for that, but not for long."""
        said = ""

        def had() -> bool:
            nonlocal said
            done = self.run("receipt", "get", ref, "-o", str(path), *words, check=False)
            said = done.stdout + done.stderr
            return done.returncode == 0

        until(had, lambda: f"no receipt of {ref}: {said}")
        return path

    def booked(self, ref: str) -> None:
        """Wait until that answer is on the books, as commands about it want it."""
        with tempfile.TemporaryDirectory() as folder:
            self.receipt(ref, Path(folder) / "receipt")

    def records(self, tenant: str, folder: Path) -> list[dict[str, Any]]:
        """Every record of the tenant, as `record export` gives them."""
        path = folder / f"{tenant}.jsonl"
        path.unlink(missing_ok=True)
        self.run("record", "export", "--tenant", tenant, "-o", str(path))
        return [json.loads(line) for line in path.read_bytes().splitlines()]


def verify_outside(receipt: Path, vkey: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The single-file verifier in a process of its own, without the package on its path."""
    argv = [sys.executable, "-I", str(VERIFIER), str(receipt), "--vkey", str(vkey), *words]
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
    )


#: The verifier's own `main`, again and again in one process of its own.
_VERIFIES = """
import contextlib, io, json, runpy, sys
main = runpy.run_path(sys.argv[1])["main"]
for line in sys.stdin:
    sys.argv = ["verify", *json.loads(line)]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = main()
    print(json.dumps([code, said.getvalue()]))
"""


def verify_all_outside(asked: list[list[str]]) -> list[tuple[int, str]]:
    """As `verify_outside` of each of these words, all by one process: its status and what it said,
    of each."""
    argv = [sys.executable, "-I", "-c", _VERIFIES, str(VERIFIER)]
    given = "".join(json.dumps(words) + "\n" for words in asked)
    done = subprocess.run(argv, input=given, capture_output=True, text=True, check=True)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == len(asked)
    return [(code, said) for code, said in told]


@contextmanager
def running(
    home: Path,
    *words: str,
    environment: dict[str, str] | None = None,
    more: str = "",
    **limits: int,
) -> Iterator[Running]:
    """A factory that is up inside the block and surely gone after it; `more` and `limits`: in its
    factory.toml from the first start on."""
    factory = Running(home, environment=environment or {})
    if more or limits:
        factory.make(more, **limits)
    factory.up(*words)
    try:
        yield factory
    finally:
        factory.run("down", check=False)
