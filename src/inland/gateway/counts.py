"""What an engine may send and claim for one request; beyond it, it is not believed and not billed.

Nobody counts its tokens again, so inside these bounds its word is taken. They are wide enough for
every honest engine, and narrow enough that a lie never costs more than what was asked for.
"""

from collections.abc import Sequence

from inland.domain.errors import Damaged
from inland.domain.plant import Deployment, EngineKind
from inland.ports.engine import CallPart, Chat, Counts, Embedding, Piece, Work

#: The longest text one token stands for, in characters; real vocabularies stay below half of it.
TOKEN_CHARACTERS = 512
#: Pieces of one choice beyond its tokens: what an engine splits in two, or flushes at the end.
SPARE_PIECES = 16
#: The most calls taken in one choice.
CALLS = 128
#: A template may write tools out in its own way: this much longer than they came, at most.
TOOLS_GROW = 3
#: What a model's template adds to a prompt, in tokens.
TEMPLATE_TOKENS = 4096
#: The longest answer of a server that already exists, whose context is not ours to know, in tokens.
CONTEXT_TOKENS = 1 << 20


class _Sent:
    """What came of one choice. `tokens`: the engine's running count; `size`: in characters."""

    __slots__ = ("calls", "is_finished", "pieces", "size", "tokens")

    def __init__(self) -> None:
        self.pieces = self.tokens = self.size = self.calls = 0
        self.is_finished = False


class Ceiling:
    """The most that one request may come to. Every piece goes through it, and then the counts.

    `choices`: how many there are. `most`: tokens that may be made, over all of them; a vector takes
    none. `reuse`: whether any of its prompt may come from a cache.
    """

    __slots__ = (
        "_body_bytes",
        "_most_pieces",
        "_most_size",
        "_sent",
        "_tokens",
        "choices",
        "most",
        "reuse",
    )

    def __init__(self, work: Work, deployment: Deployment, body_bytes: int) -> None:
        """`body_bytes`: how long the request was; no tokenizer makes more tokens than those."""
        engine, task, tokens = deployment.engine, work.task, work.max_tokens
        if not tokens:
            own = work.answer_tokens or deployment.context
            tokens = own if engine.is_ours else CONTEXT_TOKENS
        self._tokens = tokens
        self.reuse = engine is not EngineKind.LLAMA_CPP
        grows = isinstance(task, Chat) and task.tools
        self._body_bytes = body_bytes * TOOLS_GROW if grows else body_bytes
        self._most_pieces = tokens + tokens // 4 + SPARE_PIECES
        self._most_size = (tokens + SPARE_PIECES) * TOKEN_CHARACTERS
        self.choices = choices = work.choices
        self.most = 0 if isinstance(task, Embedding) else choices * tokens
        self._sent = [_Sent()] if choices == 1 else [_Sent() for _ in range(choices)]

    @property
    def made(self) -> int:
        """Tokens so far, by the engine's running count; pieces where it keeps none."""
        return self._running() or sum(one.pieces for one in self._sent)

    def most_expected(self, answer_tokens: int) -> tuple[int, int]:
        """Prompt and completion tokens it may come to: as many as the request has bytes, which no
        template has been seen to pass, and every answer as long as it was asked for. One that was
        not limited, of a server that already exists, is taken to end at `answer_tokens`."""
        if self._tokens == CONTEXT_TOKENS and self.most:
            return self._body_bytes, self.choices * min(self._tokens, answer_tokens)
        return self._body_bytes, self.most

    def take(self, pieces: Sequence[Piece]) -> None:
        """Raises Damaged for what nobody asked for; then none of `pieces` is to be passed on."""
        for piece in pieces:
            if not 0 <= piece.index < self.choices:
                raise Damaged("engine", "it answered with a choice nobody asked for")
            sent = self._sent[piece.index]
            if piece.text or piece.calls or piece.logprobs:
                self._take(sent, piece)
            if piece.finish is not None:
                sent.is_finished = True
            if piece.tokens is not None:
                self._count(sent, piece.tokens)

    def _take(self, sent: _Sent, piece: Piece) -> None:
        if sent.is_finished:
            raise Damaged("engine", "it went on with a choice it had finished")
        text = piece.text
        sent.pieces += 1
        sent.size += len(text)
        if piece.calls:
            _call(sent, piece.calls)
        if sent.pieces > self._most_pieces:
            raise Damaged("engine", "it sent more than it was asked for")
        if sent.size > self._most_size:
            raise Damaged("engine", "it sent more text than its tokens can hold")
        if not text.isascii() and not _is_text(text):
            raise Damaged("engine", "it sent half of a character")

    def _count(self, sent: _Sent, tokens: int) -> None:
        if tokens > self._tokens:
            raise Damaged("engine", "it went beyond the tokens it was asked for")
        if tokens < sent.tokens:
            raise Damaged("engine", "its count went back")
        sent.tokens = tokens

    def believed(self, counts: Counts) -> Counts:
        """`counts` where they can be true, an estimate cut to what was asked. Raises Damaged."""
        most = self.choices * self._tokens
        if not counts.cached <= counts.prompt <= self._body_bytes + TEMPLATE_TOKENS:
            raise Damaged("engine", "its count of the prompt cannot be true")
        if counts.cached and not self.reuse:
            raise Damaged("engine", "it reused a prompt that it was to clear")
        if not counts.exact:
            return Counts(counts.prompt, min(counts.completion, most), counts.cached, exact=False)
        if not self._running() <= counts.completion <= most:
            raise Damaged("engine", "its count of the answer cannot be true")
        return counts

    def _running(self) -> int:
        sent = self._sent
        return sent[0].tokens if len(sent) == 1 else sum(one.tokens for one in sent)

    def delivered(self, tokens: int) -> int:
        """What a caller who left may be billed of `tokens` counted by pieces."""
        return min(tokens, self.choices * self._tokens)


def _call(sent: _Sent, parts: Sequence[CallPart]) -> None:
    for part in parts:
        if not 0 <= part.index <= sent.calls or part.index >= CALLS:
            raise Damaged("engine", "it called a tool out of order")
        sent.calls = max(sent.calls, part.index + 1)
        sent.size += len(part.arguments)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
