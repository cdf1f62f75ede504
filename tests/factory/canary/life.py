"""A whole factory under strace from its start, with texts planted wherever a tenant's may be."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import memory_scan
from tests.factory import tiny_model
from tests.factory.canary.forms import Needles, canary
from tests.factory.canary.judging import Allowed, Disks, Finding, judged
from tests.factory.canary.trace import MEMORY, Call, Trace
from tests.factory.running import MODEL, Running
from tests.patience import until

#: What may take so long under strace on a busy machine, in seconds.
COMMAND_S = 300
#: What is planted: where, by name.
PLANTED = ("bytes", "name", "title", "system", "prompt", "streamed", "answer", "refused")
#: And in a model of the tenant's own: its metadata, a tensor, what it is called and asked.
IN_MODEL = ("metadata", "tensor", "model-name", "model-title", "asked")
#: Files of a home that hold public weights, the same in every home.
_PUBLIC = ".gguf"
_ANSWER_TOKENS = 120
MINE = "mine"
#: A trainer: reads its set in each way there is, keeps some beside, has a child that does so too,
#: says what it read, and ends when it is told to.
_TRAINER = """
import mmap, os, sys, time
file = open(sys.argv[1], "rb")
mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
text = file.read()
for folder in ("/tmp", "/dev/shm", "/var/tmp"):
    with open(folder + "/scratch", "wb") as out:
        out.write(text[:4096])
def wait(name):
    while not os.path.exists(name):
        time.sleep(0.05)
if os.fork() == 0:
    open("/tmp/child", "wb").write(mapped[-4096:])
    os.mkdir("/tmp/child-has-read")
    wait("/tmp/go")
    os._exit(0)
wait("/tmp/child-has-read")
sys.stdout.buffer.write(text[:4096])
sys.stdout.flush()
os.mkdir("/tmp/read")
wait("/tmp/go")
os.wait()
"""


@dataclass
class Traced(Running):
    """A factory all of whose commands, and what they leave running, are followed."""

    trace: Trace = field(default_factory=Trace)

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """As `Running.run`. Its output goes to files: strace holds it open as long as it runs."""
        inland = str(Path(sys.executable).with_name("inland"))
        ours = words.index("--") if "--" in words else len(words)  # behind it is a job's command
        words = (*words[:ours], "--home", str(self.home), *words[ours:])
        argv = [*self.trace.words(), inland, *words]
        with tempfile.TemporaryFile(dir=MEMORY) as out, tempfile.TemporaryFile(dir=MEMORY) as err:
            done = subprocess.run(
                argv,
                stdout=out,
                stderr=err,
                timeout=COMMAND_S,
                check=False,
                env=os.environ | self.environment,
            )
            told = []
            for file in (out, err):
                file.seek(0)
                told.append(file.read().decode())
        assert not check or done.returncode == 0, f"{words}: {told}"
        return subprocess.CompletedProcess(argv, done.returncode, *told)


@dataclass
class Life:
    """One life of a factory: `folder` is on a disk, `memory` is not."""

    factory: Traced
    needles: Needles
    folder: Path
    memory: Path
    answers: list[str] = field(default_factory=list)
    #: The disks of jobs' processes, which have mounts of their own.
    elsewhere: dict[int, Disks] = field(default_factory=dict)

    @property
    def beside(self) -> Running:
        """The same factory, asked again and again by somebody who is not followed."""
        return Running(self.factory.home, self.factory.port, self.factory.keys)

    def upload(self, size: int) -> str:
        """A dataset with a canary at its beginning, in its middle and at its end."""
        planted = self.needles.canaries["bytes"].encode()
        noise = os.urandom((size - 3 * len(planted)) // 2)
        path = self.memory / "dataset"
        path.write_bytes(planted + noise + planted + noise + planted)
        named = ("--name", self.needles.canaries["name"], "--title", self.needles.canaries["title"])
        told = self.factory.json("asset", "add", str(path), "--tenant", "acme", *named)
        return str(told["id"])

    def read(self, asset: str) -> None:
        """All of it again, and what is shown of it."""
        out = self.memory / "out"
        self.factory.run("asset", "export", asset, "-o", str(out))
        assert out.read_bytes() == (self.memory / "dataset").read_bytes()
        assert self.needles.canaries["title"] in self.factory.run("asset", "show", asset).stdout

    def train(self, asset: str) -> None:
        """A job reads it and prints some, which becomes an asset; followed where it sees others."""
        words = ("job", "run", "--json", "--detach", "--tenant", "acme", "--purpose", "train")
        command = (sys.executable, "-c", _TRAINER, f"asset:{asset}")
        begun = self.factory.run(*words, "--asset", asset, "--", *command)
        job = str(json.loads(begun.stdout)["id"])
        below: set[Path] = set()

        def has_read() -> bool:
            keeper = self.beside.json("job", "show", job)["pid"]
            found = memory_scan.descendants(keeper) if keeper else set()
            roots = {Path(f"/proc/{pid}", "root", "tmp") for pid in found}
            below.update(one for one in roots if (one / "read").exists())
            return bool(below)

        until(has_read, "the job does not read")
        for one in below:
            process = one.parents[1]
            disks = Disks((process / "mountinfo").read_text())
            self.elsewhere |= {int(task.name): disks for task in (process / "task").iterdir()}
        (min(below) / "go").touch()
        until(lambda: self.beside.json("job", "show", job)["ended"], "the job goes on")
        told = self.beside.json("job", "show", job)
        assert (told["state"], told["printed_bytes"]) == ("done", 4096), told

    def own_model(self) -> str:
        """A model of the tenant's own, served out of the vault and asked; the asset."""
        told = self.needles.canaries
        file = tiny_model.write(self.memory / "own", told["metadata"], told["tensor"])
        named = ("--name", told["model-name"], "--title", told["model-title"])
        words = ("asset", "add", str(file), "--tenant", "acme", "--kind", "model", *named)
        asset = str(self.factory.json(*words)["id"])
        self.factory.run("deploy", "add", MINE, "--model", f"asset:{asset}", "--context", "512")

        def is_ready() -> bool:
            replicas = self.beside.json("deploy", "show", MINE)["replicas"]
            return any(one["state"] == "ready" for one in replicas)

        until(is_ready, "the tenant's own model is not served")
        with self.factory.client("acme") as client:
            messages = [{"role": "user", "content": told["asked"]}]
            client.chat.completions.create(model=MINE, messages=messages, max_tokens=4)
        return asset

    def serve(self) -> None:
        """Prompts, and an answer that is made to hold a canary; in one piece and as a stream."""
        told = self.needles.canaries
        schema = {
            "type": "object",
            "properties": {"word": {"type": "string", "const": told["answer"]}},
            "required": ["word"],
        }
        form = {"type": "json_schema", "json_schema": {"name": "one", "schema": schema}}
        with self.factory.client("acme") as client:
            whole = client.chat.completions.create(
                model=MODEL,
                messages=[
                    {"role": "system", "content": told["system"]},
                    {"role": "user", "content": told["prompt"]},
                ],
                response_format=form,
                max_tokens=_ANSWER_TOKENS,
            )
            answer = whole.choices[0].message.content or ""
            assert told["answer"] in answer, answer
            messages = [{"role": "user", "content": f"Say it again: {told['streamed']}"}]
            stream: Any = client.chat.completions.create(
                model=MODEL, messages=messages, max_tokens=24, temperature=0, stream=True
            )
            pieces = [one.choices[0].delta.content or "" for one in stream if one.choices]
            self.answers.append("".join(pieces))

    def refuse(self) -> None:
        """A prompt in a request that is no good, and one for a model that is not there."""
        messages = [{"role": "user", "content": self.needles.canaries["refused"]}]
        with self.factory.http("acme") as http:
            for wrong in ({"model": MODEL, "temperature": "hot"}, {"model": "no-such-model"}):
                ask = {"messages": messages, **wrong}
                assert http.post("/v1/chat/completions", json=ask).status_code in {400, 404}

    def leak(self, asset: str) -> Path:
        """What must be found: whoever exports to a disk has the plain bytes there."""
        out = self.folder / "exported"
        self.factory.run("asset", "export", asset, "-o", str(out))
        return out

    def followed(self) -> dict[str, set[int]]:
        """Its processes by role, as it tells them itself."""
        told: dict[str, set[int]] = {}
        for one in self.factory.processes():
            told.setdefault(one["role"], set()).add(one["pid"])
        return told

    def calls(self) -> list[Call]:
        """What it did, once it is down."""
        self.factory.run("down")
        self.factory.trace.settle()
        return list(self.factory.trace.calls())

    def judged(self, calls: list[Call]) -> list[Finding]:
        """All that is wrong with what it did."""
        allowed = Allowed(
            sockets=(self.factory.home / "run",),
            endpoints=frozenset({("127.0.0.1", self.factory.port)}),
            mapped=("inland.db-shm",),
            public=(_PUBLIC,),
        )
        return judged(calls, self.needles, allowed, self.elsewhere)

    def resting(self) -> dict[str, set[str]]:
        """Canaries, by file, in all that lies in the folder, by its bytes and its name."""
        found = {}
        for path in self.folder.rglob("*"):
            data = str(path.relative_to(self.folder)).encode()
            if path.is_file() and not path.name.endswith(_PUBLIC):
                with suppress(FileNotFoundError):  # removed meanwhile
                    data += b"\n" + path.read_bytes()
            if there := self.needles.found_in(data):
                found[str(path)] = there
        return found


@contextmanager
def life(folder: Path, seed: str, *, first: bool = False) -> Iterator[Life]:
    """A factory that is up inside the block. Its very `first` start is followed, too, where that is
    asked for: it copies public weights, which takes its time; else it is made before."""
    home, temporary = folder / "home", folder / "tmp"
    temporary.mkdir()
    trace = Trace()
    factory = Traced(home, environment={"TMPDIR": str(temporary)}, trace=trace)
    if not first:
        Running(home, factory.port, factory.keys).make()
    planted = {name: canary(f"{seed}/{name}") for name in (*PLANTED, *IN_MODEL)}
    try:
        with tempfile.TemporaryDirectory(dir=MEMORY, prefix="inl-") as memory:
            factory.up()
            if first:  # of the keys that it gave out only hashes may rest
                planted |= {f"key-of-{who}": key for who, key in factory.keys.items()}
            try:
                yield Life(factory, Needles(planted), folder, Path(memory))
            finally:
                factory.run("down", check=False)
                trace.settle()
    finally:
        trace.close()
