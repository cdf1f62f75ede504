"""Whether the time to the first token tells one tenant what another has sent: 200 pairs, one slot.

In each pair one tenant sends a prompt, then the time is taken that the other's first token needs:
once for the same prompt, once for another of the same length. All share the one slot there is, so
whatever is left of a prompt is left there. The same is done within one tenant, whose cache the test
must see. The four are shuffled in each round, so that what else the machine does meets all alike.
"""

import json
import random
import re
import tempfile
import time
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from statistics import NormalDist, median
from typing import Any

import httpx

from tests.factory.running import MODEL, Running

PAIRS = 200
#: A difference is believed where chance alone makes one as large less often than this.
ALPHA = 0.01
PROMPT_WORDS = 40
WORDS = "harbour river mountain lighthouse winter ladder copper garden letter silence".split()


@dataclass
class Arm:
    """The times of one kind of pair, in milliseconds, in the order of the rounds."""

    seen: list[float] = field(default_factory=list)
    unseen: list[float] = field(default_factory=list)
    cached_tokens: int = 0  # the most that a first send of a seen prompt was told

    def result(self) -> dict[str, Any]:
        """Wilcoxon's signed ranks of the differences, seen less unseen, by normal approximation.

        `effect` is the matched rank-biserial correlation: 0 where neither is faster, -1 where the
        seen prompt always is. `shift_ms` is the median difference, with its 95 % interval.
        """
        differences = [a - b for a, b in zip(self.seen, self.unseen, strict=True)]
        by_size = sorted(differences, key=abs)
        n = len(by_size)
        up = sum(rank for rank, one in enumerate(by_size, 1) if one > 0)
        total = n * (n + 1) / 2
        z = (up - total / 2) / sqrt(n * (n + 1) * (2 * n + 1) / 24)
        low = max(0, int(n / 2 - 0.98 * sqrt(n)))
        ordered = sorted(differences)
        return {
            "p": round(2 * NormalDist().cdf(-abs(z)), 4),
            "effect": round(2 * up / total - 1, 3),
            "shift_ms": round(median(differences), 2),
            "shift_ms_95": [round(ordered[low], 2), round(ordered[n - 1 - low], 2)],
            "seen_ms": round(median(self.seen), 1),
            "unseen_ms": round(median(self.unseen), 1),
            "cached_tokens": self.cached_tokens,
        }


class Timing:
    """A factory with one slot, and the pairs."""

    def __init__(self, factory: Running, seed: int) -> None:
        self._dice = random.Random(seed)
        self._http = {tenant: factory.http(tenant) for tenant in ("demo", "acme")}
        self.arms = {"across": Arm(), "within": Arm()}

    def round(self) -> None:
        """One pair of each kind, seen and unseen, in any order."""
        trials = [(arm, seen) for arm in self.arms for seen in (True, False)]
        self._dice.shuffle(trials)
        for name, seen in trials:
            prompt, other = self._prompt(), self._prompt()
            self._send("demo", prompt if seen else other)
            ttft_ms, cached = self._send("acme" if name == "across" else "demo", prompt)
            arm = self.arms[name]
            (arm.seen if seen else arm.unseen).append(ttft_ms)
            if seen:
                arm.cached_tokens = max(arm.cached_tokens, cached)

    def _prompt(self) -> str:
        return " ".join(self._dice.choices(WORDS, k=PROMPT_WORDS))

    def _send(self, tenant: str, prompt: str) -> tuple[float, int]:
        """Milliseconds to the first token, and the cached tokens by the answer's usage."""
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": 1,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        start, first, cached = time.perf_counter(), 0.0, 0
        with self._http[tenant].stream("POST", "/v1/chat/completions", json=body) as answer:
            assert answer.status_code == httpx.codes.OK, answer.read()
            for line in answer.iter_lines():
                if not line.startswith("data: {"):
                    continue
                event = json.loads(line.removeprefix("data: "))
                if not first and any(one["delta"].get("content") for one in event["choices"]):
                    first = time.perf_counter()
                if event.get("usage"):
                    cached = event["usage"]["prompt_tokens_details"]["cached_tokens"]
        return 1000 * ((first or time.perf_counter()) - start), cached


def measure(seed: int, pairs: int = PAIRS) -> dict[str, Any]:
    """The figure: it holds if across tenants nothing is told and within one the cache is seen."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        factory = Running(Path(folder) / "home")
        factory.make()
        declared = factory.home / "factory.toml"
        declared.write_text(
            re.sub(r"^slots = \d+", "slots = 1", declared.read_text(), flags=re.MULTILINE)
        )
        factory.up()
        try:
            timing = Timing(factory, seed)
            for _ in range(pairs):
                timing.round()
        finally:
            factory.run("down", check=False)
    across, within = (timing.arms[name].result() for name in ("across", "within"))
    silent = across["cached_tokens"] == 0 and across["p"] >= ALPHA
    heard = within["cached_tokens"] > 0 and within["p"] < ALPHA and within["effect"] < 0
    return {
        "soak": "cache",
        "seed": seed,
        "holds": silent and heard,
        "pairs": pairs,
        "alpha": ALPHA,
        "across": across,
        "within": within,
        "seconds": round(time.monotonic() - start, 1),
    }
