"""What keeps a caller of `/factory/v1` from an answer: control's no, or control's absence."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException  # noqa: TID251 - what `ContentLines` raises

import httpx  # noqa: TID251 - the form of its answers, and no connection

from inland.adapters.egress.told import told_of
from inland.content_lines import Answer
from inland.domain.errors import Busy, InlandError

_RETRY_AFTER_S = 2
_WHY_CHARS = 2000


@dataclass
class Refused(InlandError):
    """Control said no: the HTTP status, and what its problem details say."""

    status: int
    why: str

    def __str__(self) -> str:
        return self.why


@contextmanager
def heard() -> Iterator[None]:
    """What keeps content's connections from an answer, as Busy."""
    try:
        yield
    except (HTTPException, OSError) as error:
        raise away(error) from error


def demand_allowed(answer: Answer) -> None:
    """Raises Refused."""
    if answer.status >= httpx.codes.BAD_REQUEST:
        raise refusal(httpx.Response(answer.status, content=answer.words))


def away(error: Exception) -> Busy:
    """What is raised where control does not answer."""
    return Busy(f"control does not answer ({told_of(error)})", _RETRY_AFTER_S)


def refusal(reply: httpx.Response) -> Refused:
    """What the problem details (RFC 9457) say, in one line."""
    try:
        problem = reply.json()
        parts = [str(problem[name]) for name in ("title", "detail") if problem.get(name)]
    except (ValueError, AttributeError, TypeError):
        parts = []
    why = ": ".join(dict.fromkeys(parts)) or f"HTTP status {reply.status_code}"
    return Refused(reply.status_code, " ".join(why.split())[:_WHY_CHARS])
