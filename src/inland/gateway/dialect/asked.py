"""What a request asks, whatever it is written in: the model, the work, and how to answer.

`metadata` and `store: false` are accepted everywhere and have no effect: nothing is stored. `user`
says no more than who keeps to the same release while another one is rolled out.
"""

from collections.abc import Iterable
from typing import Annotated, Literal, Protocol

import msgspec

from inland.domain.capabilities import Known
from inland.domain.limits import Limits
from inland.domain.plant import Feature
from inland.gateway.assembly import Assembly
from inland.gateway.errors import Refused, invalid, unavailable
from inland.ports.engine import Counts, Piece, Work

_USAGE = (
    b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
    b'"prompt_tokens_details":{"cached_tokens":%d}}'
)
#: A field, and the feature it takes.
Need = tuple[str, Feature]

_Unit = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Penalty = Annotated[float, msgspec.Meta(ge=-2, le=2)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=1 << 31)]


class Said(msgspec.Struct, frozen=True, gc=False):
    """What every part of one answer repeats. `created`: Unix seconds."""

    id: str
    created: int
    model: str


class Events(Protocol):
    """Writes one stream's events."""

    def write(self, pieces: Iterable[Piece]) -> bytes:
        """The events that may go out now; may be empty."""
        ...

    def end(self, counts: Counts, entry: str) -> bytes:
        """The last events, once the record with `entry` (64 hex digits) is durable."""
        ...


class Written(Protocol):
    """How an answer is written."""

    def whole(self, said: Said, assembly: Assembly, counts: Counts) -> bytes:
        """The body of an answer that is not streamed."""
        ...

    def events(self, said: Said) -> Events:
        """What writes the answer as a stream."""
        ...


class Asked(Written, Protocol):
    """One decoded request."""

    @property
    def model(self) -> str: ...

    @property
    def user(self) -> str | None: ...

    def needs(self) -> list[Need]:
        """The features it takes, each with the field that takes it."""
        ...

    def work(self, limits: Limits, slots: int) -> Work:
        """What the engine is to do. Raises Refused. `slots`: the most choices that fit."""
        ...


class StreamOptions(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    include_usage: bool = False


class Accepted(msgspec.Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """Fields of every request that no engine is told of."""

    user: str | None = None
    metadata: dict[str, str] | None = None
    store: Literal[False] | None = None


class Sampling(Accepted, forbid_unknown_fields=True, gc=False, kw_only=True):
    """Fields of every request for text."""

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Positive | None = None
    max_tokens: Positive | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: _Unit | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None

    def with_usage(self) -> bool:
        """Whether a stream ends with its usage."""
        return self.stream_options is not None and self.stream_options.include_usage

    def check(self, limits: Limits, slots: int) -> None:
        """Raises Refused for what the types cannot say."""
        if self.stream_options is not None and not self.stream:
            raise invalid("stream_options", "`stream_options` goes with `stream: true` only.")
        most = min(limits.choices, slots)
        if (self.n or 1) > most:
            raise invalid("n", f"`n` is at most {most} here.")
        if self.seed is not None and not -(1 << 63) <= self.seed < 1 << 63:
            raise invalid("seed", "`seed` is a 64-bit integer.")
        if self.max_tokens is not None and self.max_tokens > limits.answer_tokens:
            raise too_many_tokens("max_tokens", limits)

    def stops(self, limits: Limits) -> list[str] | None:
        """The stop sequences. Raises Refused."""
        if self.stop is None:
            return None
        stops = [self.stop] if isinstance(self.stop, str) else self.stop
        if len(stops) > limits.stops:
            raise invalid("stop", f"Give at most {limits.stops} stop sequences.")
        if not all(1 <= len(one) <= limits.stop_characters for one in stops):
            raise invalid("stop", f"A stop sequence has 1 to {limits.stop_characters} characters.")
        return stops or None


def too_many_tokens(name: str, limits: Limits) -> Refused:
    """More are asked for than an answer may have."""
    return invalid(name, f"`{name}` is at most {limits.answer_tokens} here.")


def check_needs(needs: Iterable[Need], known: dict[Feature, Known], model: str) -> None:
    """Raises Refused naming the first field that the deployment's table does not have."""
    for field, feature in needs:
        has = known[feature]
        if has is Known.YES:
            continue
        if has is Known.UNKNOWN:
            text = f"What `{model}` supports is known once its first replica is ready."
            raise unavailable("model_starting", text)
        text = f"`{field}`: model `{model}` does not support {feature.value}; leave it out."
        raise invalid(field, text, "unsupported")


def usage(counts: Counts) -> bytes:
    """OpenAI's usage object."""
    done = (counts.prompt, counts.completion, counts.prompt + counts.completion, counts.cached)
    return _USAGE % done
