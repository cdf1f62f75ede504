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


class Ceiling:
    """The most that one request may come to. Every piece goes through it, and then the counts.

    `reuse`: whether any of its prompt may come from a cache.
    """

    __slots__ = (
        "_answers",
        "_body_bytes",
        "_calls",
        "_finished",
        "_grow",
        "_most_pieces",
        "_most_size",
        "_n",
        "_pieces",
        "_running",
        "_size",
        "_tokens",
        "reuse",
    )

    def __init__(self, work: Work, deployment: Deployment) -> None:
        own = deployment.engine.is_ours
        most = (work.answer_tokens or deployment.context) if own else CONTEXT_TOKENS
        self._tokens = work.max_tokens or most
        self.reuse = deployment.engine is not EngineKind.LLAMA_CPP
        self._grow = TOOLS_GROW if isinstance(work.task, Chat) and work.task.tools else 1
        self._answers = not isinstance(work.task, Embedding)
        self._most_pieces = self._tokens + self._tokens // 4 + SPARE_PIECES
        self._most_size = (self._tokens + SPARE_PIECES) * TOKEN_CHARACTERS
        self._n = choices = work.choices
        self._body_bytes = 0
        self._pieces = [0] * choices
        self._running = [0] * choices
        self._size = [0] * choices
        self._finished = [False] * choices
        self._calls = [0] * choices

    def asked(self, body_bytes: int) -> None:
        """How long the request was: no tokenizer makes more tokens than there are bytes."""
        self._body_bytes = body_bytes * self._grow

    @property
    def most(self) -> int:
        """The most tokens that may be made, over all choices; a vector takes none."""
        return self._n * self._tokens if self._answers else 0

    @property
    def made(self) -> int:
        """Tokens so far, by the engine's running count; pieces where it keeps none."""
        return sum(self._running) or sum(self._pieces)

    def most_expected(self, answer_tokens: int) -> tuple[int, int]:
        """Prompt and completion tokens it may come to: as many as the request has bytes, which no
        template has been seen to pass, and every answer as long as it was asked for. One that was
        not limited, of a server that already exists, is taken to end at `answer_tokens`."""
        answer = (
            min(self._tokens, answer_tokens) if self._tokens == CONTEXT_TOKENS else self._tokens
        )
        return self._body_bytes, self._n * answer if self._answers else 0

    def take(self, pieces: Sequence[Piece]) -> None:
        """Raises Damaged for what nobody asked for; then none of `pieces` is to be passed on."""
        for piece in pieces:
            at, text = piece.index, piece.text
            if not 0 <= at < self._n:
                raise Damaged("engine", "it answered with a choice nobody asked for")
            if text or piece.calls or piece.logprobs:
                if self._finished[at]:
                    raise Damaged("engine", "it went on with a choice it had finished")
                self._pieces[at] += 1
                self._size[at] += len(text)
                if piece.calls:
                    self._call(at, piece.calls)
                self._check(at, text)
            if piece.finish is not None:
                self._finished[at] = True
            if piece.tokens is not None:
                self._count(at, piece.tokens)

    def _check(self, at: int, text: str) -> None:
        if self._pieces[at] > self._most_pieces:
            raise Damaged("engine", "it sent more than it was asked for")
        if self._size[at] > self._most_size:
            raise Damaged("engine", "it sent more text than its tokens can hold")
        if not text.isascii() and not _is_text(text):
            raise Damaged("engine", "it sent half of a character")

    def _call(self, at: int, parts: Sequence[CallPart]) -> None:
        for part in parts:
            begun = self._calls[at]
            if not 0 <= part.index <= begun or part.index >= CALLS:
                raise Damaged("engine", "it called a tool out of order")
            self._calls[at] = max(begun, part.index + 1)
            self._size[at] += len(part.arguments)

    def _count(self, at: int, tokens: int) -> None:
        if tokens > self._tokens:
            raise Damaged("engine", "it went beyond the tokens it was asked for")
        if tokens < self._running[at]:
            raise Damaged("engine", "its count went back")
        self._running[at] = tokens

    def believed(self, counts: Counts) -> Counts:
        """`counts` where they can be true, an estimate cut to what was asked. Raises Damaged."""
        most = self._n * self._tokens
        if not counts.cached <= counts.prompt <= self._body_bytes + TEMPLATE_TOKENS:
            raise Damaged("engine", "its count of the prompt cannot be true")
        if counts.cached and not self.reuse:
            raise Damaged("engine", "it reused a prompt that it was to clear")
        if not counts.exact:
            return Counts(counts.prompt, min(counts.completion, most), counts.cached, exact=False)
        if not sum(self._running) <= counts.completion <= most:
            raise Damaged("engine", "its count of the answer cannot be true")
        return counts

    def delivered(self, tokens: int) -> int:
        """What a caller who left may be billed of `tokens` counted by pieces."""
        return min(tokens, self._n * self._tokens)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
