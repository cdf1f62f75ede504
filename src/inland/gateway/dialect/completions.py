"""`/v1/completions`: prompts gone on with, and log probabilities in the older form."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from inland.domain.limits import Limits
from inland.domain.plant import Feature
from inland.gateway.assembly import Assembly
from inland.gateway.dialect.asked import Need, Said, Sampling, usage
from inland.gateway.dialect.decoding import decoder
from inland.gateway.dialect.events import Stream, encode
from inland.gateway.errors import invalid
from inland.ports.engine import Completion, Counts, Piece, TokenLogprob, Work

ROUTE = "completions"


class CompletionBody(Sampling, forbid_unknown_fields=True, gc=False, kw_only=True):
    """The fields of OpenAI's completions that Inland knows. A prompt is a text."""

    prompt: str | list[str]
    logprobs: Annotated[int, msgspec.Meta(ge=0, le=5)] | None = None

    def needs(self) -> list[Need]:
        needs = [("model", Feature.COMPLETIONS)]
        if self.logprobs is not None:
            needs.append(("logprobs", Feature.LOGPROBS))
        return needs

    def work(self, limits: Limits, slots: int) -> Work:
        self.check(limits, slots)
        prompts = [self.prompt] if isinstance(self.prompt, str) else self.prompt
        if not 1 <= len(prompts) <= limits.texts:
            raise invalid("prompt", f"Give 1 to {limits.texts} prompts.")
        if not all(prompts):
            raise invalid("prompt", "A prompt is empty.")
        return Work(
            Completion(prompts),
            bool(self.stream),
            self.n or 1,
            self.max_tokens,
            self.stops(limits),
            self.seed,
            self.temperature,
            self.top_p,
            self.presence_penalty,
            self.frequency_penalty,
            self.logprobs is not None,
            self.logprobs,
            answer_tokens=limits.answer_tokens,
        )

    def whole(self, said: Said, assembly: Assembly, counts: Counts) -> bytes:
        choices = [
            {
                "text": choice.text,
                "index": index,
                "logprobs": None
                if self.logprobs is None
                else _logprobs(choice.logprobs, self.logprobs, 0),
                "finish_reason": choice.finish,
            }
            for index, choice in enumerate(assembly.choices)
        ]
        return encode(
            {
                "id": f"cmpl-{said.id}",
                "object": "text_completion",
                "created": said.created,
                "model": said.model,
                "choices": choices,
                "usage": msgspec.Raw(usage(counts)),
            }
        )

    def events(self, said: Said) -> "CompletionEvents":
        return CompletionEvents(said, with_usage=self.with_usage(), logprobs=self.logprobs)


decode = decoder(CompletionBody)


class CompletionEvents(Stream):
    """Completions as events."""

    def __init__(self, said: Said, *, with_usage: bool, logprobs: int | None) -> None:
        super().__init__("cmpl", "text_completion", said, with_usage=with_usage)
        self._logprobs = logprobs
        self._lengths: dict[int, int] = {}

    def piece(self, piece: Piece) -> bytes:
        before = self._lengths.get(piece.index, 0)
        self._lengths[piece.index] = before + len(piece.text)
        spoken: dict[str, object] | None = None
        if self._logprobs is not None and piece.logprobs:
            spoken = _logprobs(piece.logprobs, self._logprobs, before)
        return self._event(piece.index, piece.text, spoken, None)

    def finish(self, index: int, finish: str) -> bytes:
        return self._event(index, "", None, finish)

    def _event(
        self, index: int, text: str, logprobs: dict[str, object] | None, finish: str | None
    ) -> bytes:
        return self.event(
            b'{"text":%b,"index":%d,"logprobs":%b,"finish_reason":%b}'
            % (encode(text), index, encode(logprobs), encode(finish))
        )


def _logprobs(entries: Sequence[TokenLogprob], top: int, offset: int) -> dict[str, object]:
    """Lists side by side. `offset`: characters of the choice before these tokens."""
    offsets = []
    for entry in entries:
        offsets.append(offset)
        offset += len(entry.token)
    return {
        "tokens": [entry.token for entry in entries],
        "token_logprobs": [entry.logprob for entry in entries],
        "top_logprobs": [
            {other.token: other.logprob for other in entry.top_logprobs[:top]} for entry in entries
        ],
        "text_offset": offsets,
    }
