"""The paths of the token path, and what decodes a request to each."""

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
