"""Pieces put together again, by choice: what an official client ends up with, and commits to."""

from collections.abc import Sequence
from operator import attrgetter

import msgspec

from inland.ledger import canonical
from inland.ports.engine import CallPart, Piece, TokenLogprob


class Called(msgspec.Struct, gc=False):
    """One call, as far as it has come."""

    id: str = ""
    name: str = ""
    arguments: list[str] = []

    def take(self, part: CallPart) -> None:
        self.id = self.id or part.id or ""
        self.name = self.name or part.name or ""
        self.arguments.append(part.arguments)

    def written(self) -> dict[str, object]:
        """It as an answer has it."""
        function = {"name": self.name, "arguments": "".join(self.arguments)}
        return {"id": self.id, "type": "function", "function": function}


class Choice(msgspec.Struct, gc=False):
    """One choice, as far as it has come."""

    texts: list[str] = []
    calls: list[Called] = []
    logprobs: list[TokenLogprob] = []
    finish: str | None = None
    tokens: int = 0

    def take(self, piece: Piece) -> None:
        """The next piece, which `Ceiling` has let through."""
        if piece.text:
            self.texts.append(piece.text)
        if piece.calls:
            for part in piece.calls:
                self._call(part)
        if piece.logprobs:
            self.logprobs += piece.logprobs
        if piece.finish is not None:
            self.finish = piece.finish
        if piece.tokens is not None:
            self.tokens = piece.tokens
        elif piece.text or piece.calls:
            self.tokens += 1

    def _call(self, part: CallPart) -> None:
        if part.index == len(self.calls):
            self.calls.append(Called(arguments=[]))
        self.calls[part.index].take(part)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def committed(self) -> str:
        """What the record commits to: the text, or text and calls as canonical JSON."""
        if not self.calls:
            return "".join(self.texts)
        calls = [call.written() for call in self.calls]
        return canonical.encode({"content": self.text or None, "tool_calls": calls}).decode()


_finish_of = attrgetter("finish")


class Assembly:
    """Every choice of one answer."""

    def __init__(self, choices: int) -> None:
        self.choices = [Choice()] if choices == 1 else [Choice() for _ in range(choices)]

    def add(self, pieces: Sequence[Piece]) -> None:
        """The next pieces, which `Ceiling` has let through."""
        choices = self.choices
        for piece in pieces:
            choices[piece.index].take(piece)

    def complete(self) -> bool:
        """Whether every choice came to its end."""
        return None not in map(_finish_of, self.choices)

    def committed(self) -> list[str]:
        """Per choice, what the record commits to."""
        return list(map(Choice.committed, self.choices))

    def tokens(self) -> int:
        """Tokens in the pieces added, by the engine's running count (else one a piece)."""
        return sum(choice.tokens for choice in self.choices)
