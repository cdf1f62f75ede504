"""The client of a vLLM on a unix socket: a connection a call, text always streamed.

Its prompt cache is kept apart by tenant: every request carries the tenant's salt, and one without
is never sent. Fields reach it by allow-list.
"""

from msgspec.structs import replace

from inland.adapters.openai.readers import Streamed
from inland.adapters.openai.unix_call import UnixCall
from inland.adapters.openai.wire import (
    ENCODER,
    EmbeddingBody,
    StreamOptions,
    body_of,
    path_of,
)
from inland.adapters.vllm.tally import PerPrompt
from inland.ports.engine import Call, End, Ending, Sink, Target, Work

_HEAD = (
    b"POST /v1%b HTTP/1.1\r\nhost: engine\r\nconnection: close\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n"
)
_SERVER_ERROR = 500


def encode(work: Work, target: Target) -> bytes:
    """The request's bytes, head and body."""
    body = body_of(work, target.model, stream=True)
    assert not isinstance(body, EmbeddingBody), "its table of features has no embeddings"
    assert target.salt, "a prompt without its tenant's salt would be shared with other tenants"
    body.cache_salt = target.salt
    body.max_tokens = work.max_tokens or work.answer_tokens
    body.stream_options = StreamOptions(continuous_usage_stats=True)
    data = ENCODER.encode(body)
    return _HEAD % (path_of(work.task).encode(), len(data)) + data


class Vllm:
    """`ports.Engine` over vLLM."""

    def call(self, target: Target, work: Work, sink: Sink) -> Call:
        """Begin `work` on a connection of its own. Hanging up stops it."""
        reader = Streamed(work, PerPrompt(work))
        return UnixCall(target.address, encode(work, target), reader, sink, _judged)

    async def close(self) -> None:
        """Nothing is kept between calls."""


def _judged(refused: End) -> End:
    """Its own faults (its core died, it is being stopped) are those of a lost engine: whatever the
    request was, another replica may do it."""
    return replace(refused, how=Ending.GONE) if refused.status >= _SERVER_ERROR else refused
