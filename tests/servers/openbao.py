"""A real OpenBao: its own process, its own folder, sealed and unsealed by its own key."""

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE_S
from tests.ports import free_port
from tests.servers.programs import openbao

START_S = PATIENCE_S
#: How long one answer may take on a busy machine.
ANSWER_S = PATIENCE_S
#: What a factory's token may do there, and no more; docs/vault.md has the same.
POLICY = """
path "{mount}/keys" {{ capabilities = ["list"] }}
path "{mount}/keys/*" {{ capabilities = ["create", "read", "update", "delete"] }}
path "{mount}/hmac/*" {{ capabilities = ["update"] }}
"""


class OpenBao:
    """A server in `folder`, running from `start` to `stop`; what it keeps stays between them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._root = self._unseal_key = ""
        self._mounts = 0
        config = {
            "storage": {"raft": {"path": str(folder / "data"), "node_id": "one"}},
            "listener": {"tcp": {"address": f"127.0.0.1:{self.port}", "tls_disable": True}},
            "api_addr": self.url,
            "cluster_addr": f"http://127.0.0.1:{free_port()}",
        }
        (folder / "data").mkdir()
        (folder / "config.json").write_text(json.dumps(config))

    def start(self) -> None:
        """Start and unseal it; the first time, set it up."""
        argv = [str(openbao()), "server", "-config", str(self._folder / "config.json")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=self._folder)
        self._wait()
        if not self._root:
            told = self.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            self._root, self._unseal_key = told["root_token"], told["keys"][0]
        self.unseal()

    def stop(self) -> None:
        """End it; it is away from now on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(START_S)
            self._process = None

    def kill(self) -> None:
        """As the kernel does it when memory runs out."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(START_S)
        self._process = None

    def freeze(self) -> None:
        """It takes connections and says nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def seal(self) -> None:
        self.ask("PUT", "sys/seal", {})

    def unseal(self) -> None:
        self.ask("PUT", "sys/unseal", {"key": self._unseal_key})
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            with suppress(urllib.error.HTTPError):
                self.ask("GET", "sys/mounts", None)
                return
            time.sleep(0.05)
        raise AssertionError("it does not unseal")

    def mount(self) -> tuple[str, str]:
        """A fresh transit engine, and a token for a factory: (mount, token)."""
        self._mounts += 1
        mount = f"transit{self._mounts}"
        self._insist("POST", f"sys/mounts/{mount}", {"type": "transit"})
        self.ask("PUT", f"sys/policies/acl/{mount}", {"policy": POLICY.format(mount=mount)})
        return mount, self.token(mount)

    def token(self, mount: str) -> str:
        """Another token for a factory whose keys are there."""
        made = {"policies": [mount], "no_default_policy": True, "no_parent": True}
        return str(self.ask("POST", "auth/token/create", made)["auth"]["client_token"])

    def ask(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """A call as its operator."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"x-vault-token": self._root} if self._root else {}
        url = f"{self.url}/v1/{path}"
        asked = urllib.request.Request(url, data, headers, method=method)  # noqa: S310
        with urllib.request.urlopen(asked, timeout=ANSWER_S) as answer:  # noqa: S310 - 127.0.0.1
            told = answer.read()
        return dict(json.loads(told)) if told else {}

    def _insist(self, method: str, path: str, body: dict[str, Any]) -> None:
        """Unsealed, it takes a moment until it leads."""
        end = time.monotonic() + START_S
        while True:
            try:
                self.ask(method, path, body)
            except urllib.error.HTTPError:
                assert time.monotonic() < end
                time.sleep(0.1)
            else:
                return

    def _wait(self) -> None:
        assert self._process is not None
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            assert self._process.poll() is None, (self._folder / "log").read_text()
            with suppress(OSError):
                self.ask("GET", "sys/seal-status", None)
                return
            time.sleep(0.05)
        raise AssertionError("it does not start")


@contextmanager
def running(folder: Path) -> Iterator[OpenBao]:
    """One that is gone after the block."""
    made = OpenBao(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
