"""The record of a request. Most of it is settled when it is decided, so it is written once.

A template holds the canonical bytes with gaps; filling it gives exactly `canonical.encode` of the
whole record (a test holds that), at the price of one bytes formatting.
"""

import re
from typing import Any

import msgspec

from inland.domain.labels import Label
from inland.domain.plant import Deployment, Key, Model, Replica, Tenant
from inland.domain.pricing import Tokens
from inland.ledger import canonical
from inland.ledger.records import REQUEST, VERSION, Record

#: How the tokens were counted: by the engine, or by us where it gave no count.
ENGINE, ESTIMATED, UNCOUNTED = "engine", "estimated", "none"

#: What is known only at the end, sorted as in the record, and how each is written.
_GAPS = {
    "billed": b"%b",
    "cached_tokens": b"%d",
    "completion_tokens": b"%d",
    "counted": b'"%b"',
    "duration_us": b"%d",
    "id": b'"%b"',
    "input": b'"%b"',
    "outcome": b'"%b"',
    "output": b"%b",
    "prompt_tokens": b"%d",
    "salt": b'"%b"',
    "stalled_us": b"%d",
    "status": b"%d",
    "time": b"%d",
    "ttft_us": b"%b",
    "wasted_tokens_estimated": b"%d",
}
_MARK = re.compile(rb'"<<gap:(\w+)>>"')


class Facts(msgspec.Struct, gc=False):
    """What a request turned out to be. `salt`: 32 hex digits. `output`: commitments, per choice."""

    id: str
    time: int
    salt: str
    input: str
    outcome: str
    billed: bool
    output: list[str]
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    wasted_tokens_estimated: int
    counted: str
    ttft_us: int | None
    duration_us: int
    status: int
    stalled_us: int

    def charged(self) -> Tokens | None:
        """What the record bills."""
        if not self.billed:
            return None
        return Tokens(self.prompt_tokens, self.cached_tokens, self.completion_tokens)

    def record(self, fixed: Record) -> Record:
        """The whole record."""
        return {**fixed, **{name: getattr(self, name) for name in _GAPS}}


class Template:
    """The record of requests that differ in `Facts` only."""

    def __init__(self, fixed: Record) -> None:
        self.fixed = fixed
        marked = {**fixed, **{name: f"<<gap:{name}>>" for name in _GAPS}}
        written = canonical.encode(marked).replace(b"%", b"%%")
        self._format = _MARK.sub(lambda found: _GAPS[found.group(1).decode()], written)

    def fill(self, facts: Facts) -> bytes:
        """The canonical bytes of `facts.record(fixed)`."""
        ttft_us = facts.ttft_us
        return self._format % (
            b"true" if facts.billed else b"false",
            facts.cached_tokens,
            facts.completion_tokens,
            facts.counted.encode(),
            facts.duration_us,
            facts.id.encode(),
            facts.input.encode(),
            facts.outcome.encode(),
            b'["%b"]' % '","'.join(facts.output).encode() if facts.output else b"[]",
            facts.prompt_tokens,
            facts.salt.encode(),
            facts.stalled_us,
            facts.status,
            facts.time,
            b"null" if ttft_us is None else b"%d" % ttft_us,
            facts.wasted_tokens_estimated,
        )

    def opening(self, record_id: str, unix_us: int, salt: str, input_: str) -> bytes:
        """What is journaled before a stream's first byte: all that is known at its dispatch."""
        known = {"id": record_id, "time": unix_us, "salt": salt, "input": input_}
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


def _label(label: Label) -> dict[str, Any]:
    return {
        "jurisdictions": list(label.jurisdictions),
        "purposes": [purpose.value for purpose in label.purposes],
    }
