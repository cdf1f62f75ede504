"""The paths of the dialect: those of the token path, with what decodes a request to each, and those
that control answers."""

from collections.abc import Callable
from dataclasses import dataclass

from inland.domain.limits import Limits
from inland.gateway.dialect import chat, completions, embeddings
from inland.gateway.dialect.asked import Asked


@dataclass(frozen=True, slots=True)
class Route:
    """One path. `name`: what records and metrics call it. `decode` raises Refused."""

    name: str
    decode: Callable[[bytes, Limits], Asked]


ROUTES: dict[bytes, Route] = {
    b"/v1/chat/completions": Route(chat.ROUTE, chat.decode),
    b"/v1/completions": Route(completions.ROUTE, completions.decode),
    b"/v1/embeddings": Route(embeddings.ROUTE, embeddings.decode),
}
#: What is below these, and they themselves, is no token path: control answers it.
_OF_CONTROL = (b"/v1/files", b"/v1/batches")


def is_of_control(path: bytes) -> bool:
    """Whether a path of the dialect is passed on to control."""
    return any(path == one or path.startswith(one + b"/") for one in _OF_CONTROL)
