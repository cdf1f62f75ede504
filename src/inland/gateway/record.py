"""The record of a request. Most of it is settled when it is decided, so it is written once.

A template holds the canonical bytes with gaps; filling it gives exactly `canonical.encode` of the
whole record (a test holds that), at the price of one bytes formatting.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from inland.domain.labels import Label
from inland.domain.plant import Deployment, Key, Model, Replica, Tenant
from inland.domain.pricing import Tokens
from inland.domain.releases import Serving
from inland.ledger import canonical
from inland.ledger.records import REQUEST, VERSION, Record

#: How the tokens were counted: by the engine, or by us where it gave no count.
ENGINE, ESTIMATED, UNCOUNTED = "engine", "estimated", "none"

#: What is known only at the end, sorted as in the record, and how each is written.
_GAPS = {
    "billed": "%s",
    "cached_tokens": "%d",
    "completion_tokens": "%d",
    "counted": '"%s"',
    "duration_us": "%d",
    "id": '"%s"',
    "input": '"%s"',
    "outcome": '"%s"',
    "output": "[%s]",
    "prompt_tokens": "%d",
    "salt": '"%s"',
    "stalled_us": "%d",
    "status": "%d",
    "time": "%d",
    "ttft_us": "%s",
    "wasted_tokens_estimated": "%d",
}
_MARK = re.compile(r'"<<gap:(\w+)>>"')


@dataclass(slots=True)
class Facts:
    """What a request turns out to be, filled in as it becomes known.

    `salt`: 32 hex digits. `input`, `output` (per choice): commitments. `guard`: what was found,
    None where nothing is looked for.
    """

    id: str
    time: int
    input: str
    salt: str = ""
    outcome: str = ""
    billed: bool = False
    output: list[str] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    wasted_tokens_estimated: int = 0
    counted: str = ENGINE
    ttft_us: int | None = None
    duration_us: int = 0
    status: int = 200
    stalled_us: int = 0
    guard: list[dict[str, Any]] | None = None

    def charged(self) -> Tokens | None:
        """What the record bills."""
        if not self.billed:
            return None
        return Tokens(self.prompt_tokens, self.cached_tokens, self.completion_tokens)

    def record(self, fixed: Record) -> Record:
        """The whole record."""
        guard = {} if self.guard is None else {"guard": self.guard}
        return {**fixed, **{name: getattr(self, name) for name in _GAPS}, **guard}


class Template:
    """The record of requests that differ in `Facts` only."""

    def __init__(self, fixed: Record) -> None:
        self.fixed = fixed
        marked = {**fixed, **{name: f"<<gap:{name}>>" for name in _GAPS}}
        written = canonical.encode(marked).decode().replace("%", "%%")
        self._format = _MARK.sub(lambda found: _GAPS[found.group(1)], written)

    def fill(self, facts: Facts) -> bytes:
        """The canonical bytes of `facts.record(fixed)`."""
        if facts.guard is not None:
            return canonical.encode(facts.record(self.fixed))
        ttft_us, output = facts.ttft_us, '","'.join(facts.output)
        written = self._format % (
            "true" if facts.billed else "false",
            facts.cached_tokens,
            facts.completion_tokens,
            facts.counted,
            facts.duration_us,
            facts.id,
            facts.input,
            facts.outcome,
            f'"{output}"' if output else "",
            facts.prompt_tokens,
            facts.salt,
            facts.stalled_us,
            facts.status,
            facts.time,
            "null" if ttft_us is None else ttft_us,
            facts.wasted_tokens_estimated,
        )
        return written.encode()

    def opening(self, facts: Facts, salt: str) -> bytes:
        """What is journaled before a stream's first byte: all that is known at its dispatch."""
        known: Record = {"id": facts.id, "time": facts.time, "salt": salt, "input": facts.input}
        if facts.guard is not None:
            known["guard"] = facts.guard
        return canonical.encode({**self.fixed, **known, "counted": UNCOUNTED})


def fixed_fields(
    key: Key,
    tenant: Tenant,
    deployment: Deployment,
    model: Model,
    replica: Replica,
    decided: dict[str, Any],
    route: str,
    *,
    stream: bool,
) -> Record:
    """What is known when `replica` gets a request. `decided`: snapshot, policy and rules."""
    place = replica.place
    return {
        "v": VERSION,
        "kind": REQUEST,
        "tenant": tenant.id,
        "key": key.id,
        "deployment": deployment.name,
        "engine": deployment.engine.value,
        "model": model.id,
        "model_digest": model.digest,
        "adapter_digest": None,
        "place": {
            "id": place.id,
            "stands": place.stands,
            "operated": place.operated,
            "known": place.known.value,
        },
        "isolation": replica.isolation,
        "decision": "allow",
        **decided,
        "label": {**_label(tenant.label), "classification": tenant.label.classification.value},
        "model_label": {**_label(model.label), "owner": model.label.owner},
        "route": route,
        "stream": stream,
        "energy_mj": 0,
        "energy_known": "none",
    }


def release_fields(serving: Serving, adapter: Model) -> Record:
    """What an answer by a release has in its record besides, and instead."""
    return {
        "adapter_digest": adapter.digest,
        "adapter_label": {**_label(adapter.label), "owner": adapter.label.owner},
        "release": {"id": serving.release, "name": serving.name},
    }


def _label(label: Label) -> dict[str, Any]:
    return {
        "jurisdictions": list(label.jurisdictions),
        "purposes": [purpose.value for purpose in label.purposes],
    }
