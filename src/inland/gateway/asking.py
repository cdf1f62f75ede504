"""A question to a classifier as a request like any other: what is asked, and how it is answered."""

import msgspec

from inland.decide.guard.questions import ANSWER_TOKENS, SCHEMA
from inland.domain.capabilities import Known
from inland.domain.plant import Feature
from inland.gateway.assembly import Assembly
from inland.gateway.dialect.asked import Events, Said
from inland.gateway.order import Order
from inland.gateway.rulings import Ruling
from inland.ports.engine import Chat, Counts, JsonSchema, Message, Work

#: What records call the path of a question.
ROUTE = "guard"


class Plain:
    """A question's answer is its text alone."""

    def whole(self, said: Said, assembly: Assembly, counts: Counts) -> bytes:
        """The text."""
        del said, counts
        return assembly.choices[0].text.encode()

    def events(self, said: Said) -> Events:
        """Never: no question is streamed."""
        raise AssertionError(said)


def question(told: str, text: str, ruling: Ruling, arrived: float) -> Order:
    """A question as a request: held to its form where the engine can be."""
    if ruling.supports[Feature.SYSTEM] is Known.YES:
        said = [Message("system", told), Message("user", text)]
    else:
        said = [Message("user", f"{told}\n\n{text}")]
    held = ruling.supports[Feature.JSON_SCHEMA] is Known.YES
    form: JsonSchema | bool = JsonSchema("found", SCHEMA, strict=True) if held else False
    work = Work(Chat(said, json=form), max_tokens=ANSWER_TOKENS, temperature=0)
    return Order(ROUTE, Plain(), work, msgspec.json.encode(said), arrived)
