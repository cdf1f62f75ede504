"""A real S3 server: rclone serving a folder, its own process."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inland.adapters.egress.door import origin
from inland.adapters.vault.s3_blobs import Bucket
from tests.patience import PATIENCE_S
from tests.ports import free_port
from tests.servers.programs import rclone

START_S = PATIENCE_S
#: As many as one run of the tests may use.
BUCKETS = 256
ACCESS, SECRET = "inland-test", "a-secret-of-the-tests"


class S3Server:
    """Serves `folder`, a bucket for each folder in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._used = 0
        self.port = free_port()

    @property
    def folder(self) -> Path:
        """What it serves."""
        return self._folder / "served"

    def start(self) -> None:
        argv = [str(rclone()), "serve", "s3", str(self._folder / "served")]
        argv += ["--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{ACCESS},{SECRET}"]
        argv += ["--config", "/dev/null", "--vfs-cache-mode", "off"]
        for number in range(BUCKETS):  # it looks at its folder when it starts
            (self._folder / "served" / f"bucket{number}").mkdir(parents=True, exist_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            assert self._process.poll() is None, (self._folder / "log").read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("it does not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(START_S)
            self._process = None

    def bucket(self, port: int | None = None) -> Bucket:
        """A fresh bucket, at the server or at what stands before it."""
        self._used += 1
        name = f"bucket{self._used - 1}"
        at = origin(f"http://127.0.0.1:{port or self.port}")
        return Bucket(at, name, "us-east-1", lambda: (ACCESS, SECRET), "a/prefix")


@contextmanager
def running(folder: Path) -> Iterator[S3Server]:
    """One that is gone after the block."""
    made = S3Server(folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
