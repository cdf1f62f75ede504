"""What a guard adds to the token path: microseconds a request and an event beside the same without.

In one process, as `bench.token_path_cost`. Each read of a request and of an upstream's event is
timed by itself, in this thread's own time, guarded and not in turn; the guard has every recogniser
and some patterns. A JSON line for each kind of text: words; numbers in every sentence; texts that
are almost one number after another (`tests.unit.decide.guard.almost`); true ones, all replaced.
"""

import argparse
import asyncio
import json
import time
from argparse import Namespace
from dataclasses import replace
from typing import Any

from bench import upstream
from bench.token_path import snapshot
from bench.token_path_cost import Path
from inland.decide.guard.recognisers import RECOGNISERS
from inland.domain.guards import Act, Guard
from inland.domain.snapshot import Secrets
from tests.unit.decide.guard.almost import ALMOST

PATTERNS = (
    r"sk-[A-Za-z0-9]{20,}",
    r"AKIA[0-9A-Z]{16}",
    r"[\w.+-]+@\w+(?:\.\w+)+",
    r"(?i)\bproject (?:harbour|lighthouse)\b",
    r"-----BEGIN [A-Z ]+PRIVATE KEY-----",
)
GUARDS = {"all": Guard("all", Act.REDACT, tuple(RECOGNISERS), PATTERNS)}
NUMBERS = [" pay", " 4111", " 1111", " 1111", " 1112", " by", " 2026", ""]
TRUE = ("4111 1111 1111 1111", "A123456789", "DE89370400440532013000", "85.07.30-033.28")
FOLDED = {"ideographs": "港口今天早上很平静。", "unseen": "a\u200b", "become two": "\ufb01"}
PROMPT_CHARS = 8000


def kinds() -> dict[str, list[str]]:
    """By kind, the tokens of a text that is repeated."""
    almost = {f"almost {kind}": _tokens(" ".join(some)) for kind, some in ALMOST.items()}
    true = {f"true {one}": _tokens(one) for one in TRUE}
    folded = {kind: _tokens(one) for kind, one in FOLDED.items()}
    return {"words": list(upstream.TOKENS), "numbers": NUMBERS, **almost, **true, **folded}


def _tokens(row: str) -> list[str]:
    """As an engine would say it: some characters an event."""
    return [row[at : at + 4] for at in range(0, len(row), 4)] + [" ", ""]


class Timed(Path):
    """A path, guarded or not, that says what each read took, in microseconds."""

    def __init__(self, given: Namespace, guards: dict[str, Guard], prompt: str) -> None:
        super().__init__(given)
        plant = replace(snapshot("http://127.0.0.1:1/v1"), guards=guards, version=2)
        self._gateway.apply(plant, Secrets({"demo": b"k" * 32}, {}))
        head, _, body = self._asked.partition(b"\r\n\r\n")
        asked = json.loads(body)
        asked["messages"][-1]["content"] = prompt
        body = json.dumps(asked).encode()
        lines = [
            one for one in head.split(b"\r\n") if not one.lower().startswith(b"content-length")
        ]
        lines.append(b"Content-Length: %d" % len(body))
        self._asked = b"\r\n".join(lines) + b"\r\n\r\n" + body

    def timed(self, requests: list[float], events: list[float]) -> None:
        """One request of every caller; what each took is added."""
        for _, caller in self._callers:
            begun = time.thread_time()
            caller.data_received(self._asked)
            requests.append((time.thread_time() - begun) * 1e6)
        self._journal.commit()
        for data in self._answers:
            for _, engine in self._door.made:
                begun = time.thread_time()
                engine.data_received(data)
                events.append((time.thread_time() - begun) * 1e6)
        self._journal.commit()
        for wire, _ in (*self._callers, *self._door.made):
            wire.sent.clear()


def part(values: list[float], share: float) -> float:
    """The value below which `share` of them lie."""
    return round(sorted(values)[int(len(values) * share)], 2)


def beside(bare: list[float], guarded: list[float]) -> dict[str, float]:
    """Medians and p99s of both, and what the guard added."""
    said: dict[str, float] = {}
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        low, high = part(bare, share), part(guarded, share)
        said |= {f"bare_us_{name}": low, f"guarded_us_{name}": high}
        said[f"added_us_{name}"] = round(high - low, 2)
    return said


async def measure(given: argparse.Namespace, kind: str, words: list[str]) -> dict[str, Any]:
    """Rounds of both in turn."""
    upstream.TOKENS[:] = words
    sentence = "".join(words) if kind != "words" else "".join(words) + " "
    prompt = (sentence * (PROMPT_CHARS // len(sentence) + 1))[:PROMPT_CHARS]
    shape = Namespace(stream=True, tokens=given.tokens, events_per_read=1, callers=16)
    paths = [Timed(shape, {}, prompt), Timed(shape, GUARDS, prompt)]
    taken: list[tuple[list[float], list[float]]] = [([], []), ([], [])]
    for path in paths:
        await path.warm()
        path.timed([], [])
    for _ in range(given.rounds):
        for path, (requests, events) in zip(paths, taken, strict=True):
            path.timed(requests, events)
    (bare, bare_events), (guarded, guarded_events) = taken
    return {
        "bench": "guard",
        "kind": kind,
        "recognisers": len(RECOGNISERS),
        "patterns": len(PATTERNS),
        "prompt_chars": len(prompt),
        "requests": len(guarded),
        "events": len(guarded_events),
        "request": beside(bare, guarded),
        "event": beside(bare_events, guarded_events),
        "target_us_p99": 1000,
    }


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="kinds whose name holds this")
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=25)
    given = parser.parse_args()
    for kind, words in kinds().items():
        if given.only is None or given.only in kind:
            print(json.dumps(asyncio.run(measure(given, kind, words))), flush=True)


if __name__ == "__main__":
    main()
