"""A whole factory under strace from its start, with texts planted wherever a tenant's may be."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.factory.canary.forms import Needles, canary
from tests.factory.canary.judging import Allowed, Finding, judged
from tests.factory.canary.trace import MEMORY, Call, Trace
from tests.factory.running import MODEL, Running

#: What may take so long under strace on a busy machine, in seconds.
COMMAND_S = 300
#: What is planted: where, by name.
PLANTED = ("bytes", "name", "title", "system", "prompt", "streamed", "answer", "refused")
#: Files of a home that hold public weights, the same in every home.
_PUBLIC = ".gguf"
_ANSWER_TOKENS = 120


@dataclass
class Traced(Running):
    """A factory all of whose commands, and what they leave running, are followed."""

    trace: Trace = field(default_factory=Trace)

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """As `Running.run`. Its output goes to files: strace holds it open as long as it runs."""
        inland = str(Path(sys.executable).with_name("inland"))
        argv = [*self.trace.words(), inland, *words, "--home", str(self.home)]
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
        )
        return judged(calls, self.needles, allowed)

    def resting(self) -> dict[str, set[str]]:
        """Canaries, by file, in all that lies in the folder, by its bytes and its name."""
        found = {}
        for path in self.folder.rglob("*"):
            data = str(path.relative_to(self.folder)).encode()
            if path.is_file() and not path.name.endswith(_PUBLIC):
                data += b"\n" + path.read_bytes()
            if there := self.needles.found_in(data):
                found[str(path)] = there
        return found


@contextmanager
def life(folder: Path, seed: str) -> Iterator[Life]:
    """A factory that is up inside the block, made before without strace: its first start copies
    public weights, and its second is the one that is followed."""
    home, temporary = folder / "home", folder / "tmp"
    temporary.mkdir()
    made = Running(home)
    made.make()
    trace = Trace()
    factory = Traced(home, made.port, made.keys, {"TMPDIR": str(temporary)}, trace)
    needles = Needles({name: canary(f"{seed}/{name}") for name in PLANTED})
    try:
        with tempfile.TemporaryDirectory(dir=MEMORY, prefix="inl-") as memory:
            factory.up()
            try:
                yield Life(factory, needles, folder, Path(memory))
            finally:
                factory.run("down", check=False)
                trace.settle()
    finally:
        trace.close()
