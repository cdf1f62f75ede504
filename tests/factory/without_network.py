"""A factory made of a bundle where no network is: run by `carried`, in a process of its own.

`python -m tests.factory.without_network BUNDLE SHA256 VKEY_FILE FOLDER PORT` leaves the network for
good, installs from the bundle's wheels alone, and prints what came of it as one line of JSON.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from inland.adapters.isolation.network import leave_network, loopback_up

#: Addresses that no route may lead to (RFC 5737, RFC 3849).
_OUTSIDE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def reaches_outside() -> bool:
    """Whether any route leads out of here."""
    for family, address in _OUTSIDE:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((address, 9))
            except OSError:
                continue
            return True
    return False


def made(bundle: Path, sha256: str, vkey: Path, folder: Path, port: str) -> dict[str, Any]:
    """What a person does there, as docs/models.md says it."""
    with bundle.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == sha256
    run = _Runs(folder)
    run("tar", "-xf", str(bundle), "wheels", "requirements")
    run(os.path.realpath(sys.executable), "-m", "venv", "venv")
    wheels = ["--no-index", "--find-links", "wheels", "--require-hashes", "-r", "requirements"]
    run("venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", *wheels)
    inland = "venv/bin/inland"
    told = run(
        inland, "bundle", "import", str(bundle), "--vkey", str(vkey), "--into", "b", "--json"
    )
    up = ["up", "--detach", "--offline", "--home", "home", "--port", port, "--json"]
    keys = json.loads(run(inland, *up))["keys"]
    try:
        home = ["--home", "home"]
        run(inland, "policy", "apply", "b/policies", *home)
        ref, text = _chat(port, keys["demo"])
        run(inland, "receipt", "get", ref, "-o", "receipt", *home)
        (folder / "vkey").write_text(run(inland, "ledger", "vkey", *home))
        verified = run(inland, "verify", "receipt", "--vkey", "vkey")
        models = json.loads(run(inland, "model", "verify", *home, "--json"))
    finally:
        run(inland, "down", "--home", "home")
    return {"bundle": json.loads(told), "text": text, "verified": verified, "models": models}


class _Runs:
    """Runs programs in `folder`, with nothing of this process's environment but the path."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "INLAND_CACHE": str(folder / "cache"),
        }

    def __call__(self, *argv: str) -> str:
        done = subprocess.run(
            argv,
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout


def _chat(port: str, key: str) -> tuple[str, str]:
    """One answer: its receipt's reference, and its text."""
    body = {
        "model": "smollm2",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 8,
    }
    answer = httpx.post(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        json=body,
        headers={"authorization": f"Bearer {key}"},
        timeout=60,
    )
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.headers["inland-receipt"], answer.json()["choices"][0]["message"]["content"]


def main(argv: list[str]) -> int:
    leave_network()
    loopback_up()
    assert not reaches_outside()
    bundle, sha256, vkey, folder, port = argv[1:]
    print(json.dumps(made(Path(bundle), sha256, Path(vkey), Path(folder), port)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
