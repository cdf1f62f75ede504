"""The paths of the dialect: those of the token path, with what decodes a request to each, and those
that control answers."""

from collections.abc import Callable
from dataclasses import dataclass

from inland.domain.limits import Limits
from inland.gateway.dialect import chat, completions, embeddings
from inland.gateway.dialect.asked import Asked
from inland.gateway.errors import Refused, too_large


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
#: Where a body is a file.
_FILES = b"/v1/files"
#: What is below these, and they themselves, is no token path: control answers it.
_OF_CONTROL = (_FILES, b"/v1/batches", b"/v1/fine_tuning")


def is_of_control(path: bytes) -> bool:
    """Whether a path of the dialect is passed on to control."""
    return any(path == one or path.startswith(one + b"/") for one in _OF_CONTROL)


def body_too_large(target: bytes, limit: int) -> Refused:
    """Of a file, with the way in that has no such limit."""
    refused = too_large("body", limit)
    if target.partition(b"?")[0] == _FILES:
        refused.message += " Add the file with inland asset add, which takes any length."
    return refused
