"""Feedback: what a tenant's people say of an answer, named by its receipt.

What they say it should have been, and what was asked, is content: it rests sealed and is on no
books. A thumb is none.
"""

import json
from dataclasses import dataclass
from typing import Any

from inland.domain.chat import CONTENT_CHARACTERS, Role, conversation
from inland.domain.errors import BadInput
from inland.domain.thumbs import Thumbs


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says. `messages`: what was asked, as it was sent; requests' texts are kept by
    nobody here, so without them a correction is one to read and none to learn from."""

    thumbs: Thumbs
    correction: str = ""
    messages: tuple[dict[str, Any], ...] = ()

    def content(self) -> str:
        """What is sealed of it, empty where there is nothing. Raises BadInput."""
        if not self.correction:
            if self.messages:
                raise BadInput("messages", "go with a correction: give one, or leave them out")
            return ""
        if not self.correction.strip() or len(self.correction) > CONTENT_CHARACTERS:
            why = f"must be a text that is not blank, of at most {CONTENT_CHARACTERS} characters"
            raise BadInput("correction", why)
        return json.dumps({"messages": self._asked(), "correction": self.correction})

    def _asked(self) -> list[dict[str, Any]]:
        """What training reads, so that what is collected is refused by no check of it."""
        if not self.messages:
            return []
        found = conversation({"messages": list(self.messages)}, "messages")
        if found[-1].role is not Role.USER:
            why = "the last message must be the user's: the correction is the answer to it"
            raise BadInput(f"messages[{len(found) - 1}].role", why)
        told = [{"role": one.role.value, "content": one.content} for one in found]
        earlier = Role.ASSISTANT.value
        return [{**one, "weight": 0} if one["role"] == earlier else one for one in told]


@dataclass(frozen=True, slots=True)
class Feedback:
    """What was said of one answer, `receipt`: its record's id.

    `model`: as it was asked for; `release`: what answered, empty where it was no release. `book`:
    the asset under whose key the content rests, empty where there is none; `teaches`: whether an
    example can be made of it. `waits`: it was given since its book was last collected.
    """

    tenant: str
    receipt: str
    model: str
    release: str
    thumbs: Thumbs
    key: str
    unix_us: int
    book: str = ""
    sealed: bytes = b""
    teaches: bool = False
    waits: bool = False


def example(content: str) -> bytes:
    """The line of training data that a content is; empty where nothing says what was asked."""
    said = json.loads(content)
    if not said["messages"]:
        return b""
    answer = {"role": Role.ASSISTANT.value, "content": said["correction"]}
    return json.dumps({"messages": [*said["messages"], answer]}).encode() + b"\n"
