"""What a caller reads: a whole answer or a stream's events, written by us, never an engine's.

`Assembly` keeps, per choice, the text an official client ends up with; the record commits to that.
"""

from collections.abc import Iterable, Sequence

import msgspec

from inland.ports.engine import Counts, Piece, TokenLogprob

DONE = b"data: [DONE]\n\n"
_encode = msgspec.json.Encoder().encode


class _Choice:
    __slots__ = ("finish", "logprobs", "texts", "tokens")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.logprobs: list[TokenLogprob] = []
        self.finish: str | None = None
        self.tokens = 0


class Assembly:
    """Pieces put together again, by choice."""

    def __init__(self, n: int) -> None:
        self._choices = [_Choice() for _ in range(n)]

    def add(self, piece: Piece) -> None:
        """Raises IndexError for a choice that nobody asked for."""
        if piece.index < 0:
            raise IndexError(piece.index)
        choice = self._choices[piece.index]
        if piece.text:
            choice.texts.append(piece.text)
        if piece.logprobs:
            choice.logprobs += piece.logprobs
        if piece.finish is not None:
            choice.finish = piece.finish
        if piece.tokens is not None:
            choice.tokens = piece.tokens
        elif piece.text:
            choice.tokens += 1

    def complete(self) -> bool:
        """Whether every choice came to its end."""
        return all(choice.finish is not None for choice in self._choices)

    def texts(self) -> list[str]:
        """Per choice, what an official client assembles."""
        return ["".join(choice.texts) for choice in self._choices]

    def tokens(self) -> int:
        """Tokens in the pieces added, by the engine's running count (else one a piece)."""
        return sum(choice.tokens for choice in self._choices)

    def choices(self, *, logprobs: bool) -> list[dict[str, object]]:
        """The `choices` of a whole answer."""
        return [
            {
                "index": index,
                "message": {"role": "assistant", "content": "".join(choice.texts), "refusal": None},
                "logprobs": {"content": choice.logprobs, "refusal": None} if logprobs else None,
                "finish_reason": choice.finish,
            }
            for index, choice in enumerate(self._choices)
        ]


def usage(counts: Counts) -> dict[str, object]:
    """OpenAI's usage object."""
    return {
        "prompt_tokens": counts.prompt,
        "completion_tokens": counts.completion,
        "total_tokens": counts.prompt + counts.completion,
        "prompt_tokens_details": {"cached_tokens": counts.cached},
    }


def whole(
    record_id: str,
    created: int,
    model: str,
    assembly: Assembly,
    counts: Counts,
    *,
    logprobs: bool,
) -> bytes:
    """The body of a non-streamed answer."""
    return _encode(
        {
            "id": f"chatcmpl-{record_id}",
            "object": "chat.completion",
            "created": created,
            "model": model,
            "choices": assembly.choices(logprobs=logprobs),
            "usage": usage(counts),
        }
    )


class Events:
    """Writes one stream's events. Finish events are kept back until the answer's end."""

    def __init__(
        self, record_id: str, created: int, model: str, *, with_usage: bool, logprobs: bool
    ) -> None:
        head = b'data: {"id":"chatcmpl-%b","object":"chat.completion.chunk","created":%d,"model":%b'
        self._head = head % (record_id.encode(), created, _encode(model))
        self._usage = b',"usage":null' if with_usage else b""
        self._with_usage = with_usage
        self._logprobs = logprobs
        self._begun: set[int] = set()
        self._finishes: list[bytes] = []

    def write(self, pieces: Iterable[Piece]) -> bytes:
        """The events that may go out now; may be empty."""
        events = []
        for piece in pieces:
            if piece.text or piece.logprobs:
                events.append(self._text(piece))
            if piece.finish is not None:
                self._finish(piece.index, piece.finish)
        return b"".join(events)

    def _text(self, piece: Piece) -> bytes:
        delta: dict[str, object] = {"content": piece.text}
        if piece.index not in self._begun:
            self._begun.add(piece.index)
            delta = {"role": "assistant", **delta}
        return self._event(piece.index, delta, piece.logprobs, None)

    def _finish(self, index: int, finish: str) -> None:
        if index not in self._begun:
            self._begun.add(index)
            opening: dict[str, object] = {"role": "assistant", "content": ""}
            self._finishes.append(self._event(index, opening, None, None))
        self._finishes.append(self._event(index, {}, None, finish))

    def _event(
        self,
        index: int,
        delta: dict[str, object],
        logprobs: Sequence[TokenLogprob] | None,
        finish: str | None,
    ) -> bytes:
        spoken = {"content": logprobs, "refusal": None} if self._logprobs and logprobs else None
        return b'%b,"choices":[{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":%b}]%b}\n\n' % (
            self._head,
            index,
            _encode(delta),
            _encode(spoken) if spoken else b"null",
            _encode(finish),
            self._usage,
        )

    def end(self, counts: Counts, entry: str) -> bytes:
        """The last events, once the record with `entry` (64 hex digits) is durable."""
        last = b"".join(self._finishes)
        if self._with_usage:
            last += b'%b,"choices":[],"usage":%b}\n\n' % (self._head, _encode(usage(counts)))
        return b"%b: inland-entry %b\n\n%b" % (last, entry.encode(), DONE)


def error_event(body: bytes) -> bytes:
    """The event that ends a stream which failed; `body` is an OpenAI error object."""
    return b"data: %b\n\n" % body
