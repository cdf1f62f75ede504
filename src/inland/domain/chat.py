"""Conversations: what models are trained on and asked, read from lines that people write.

The form is the one that OpenAI's fine-tuning takes: an object a line with `messages`, each with
`role` and `content`, an answer that is not to be learned with `"weight": 0`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from inland.domain.errors import BadInput
from inland.domain.json_lines import demand_known, read

MESSAGES, CONTENT_CHARACTERS = 256, 200_000


class Role(StrEnum):
    """Who says it."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `learned`: whether it is an answer that training is to bring about."""

    role: Role
    content: str
    learned: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation that ends with an answer. `line`: where in its file it stands."""

    line: int
    messages: tuple[Message, ...]

    @property
    def question(self) -> str:
        """What was asked, all of it, without what every question may have before it."""
        return question(self.messages)


def question(messages: Iterable[Message]) -> str:
    """What the user says in a conversation."""
    return "\n".join(one.content for one in messages if one.role is Role.USER)


def examples(file: str, data: bytes) -> list[Example]:
    """Training data. Raises BadLines."""
    return read(file, data, _example)


def _example(line: int, fields: dict[str, Any]) -> Example:
    demand_known(fields, ("messages",))
    found = conversation(fields, "messages", weighed=True)
    if found[-1].role is not Role.ASSISTANT:
        raise BadInput(f"messages[{len(found) - 1}].role", "the last message must be an answer")
    if not any(one.learned for one in found):
        raise BadInput("messages", "have no answer to learn: every weight is 0")
    return Example(line, found)


def conversation(
    fields: dict[str, Any], name: str, *, weighed: bool = False
) -> tuple[Message, ...]:
    """The messages in `fields[name]`, of which at least one is the user's. `weighed`: answers may
    have a weight. Raises BadInput."""
    value = fields.get(name)
    if not isinstance(value, list) or not 1 <= len(value) <= MESSAGES:
        raise BadInput(name, f"must be a list of 1 to {MESSAGES} messages")
    found = tuple(_message(one, f"{name}[{at}]", weighed=weighed) for at, one in enumerate(value))
    for at, message in enumerate(found):
        if message.role is Role.SYSTEM and at:
            raise BadInput(f"{name}[{at}].role", "a system message can only be the first")
    if all(one.role is not Role.USER for one in found):
        raise BadInput(name, "have no message of the user")
    return found


def _message(value: Any, where: str, *, weighed: bool) -> Message:
    if not isinstance(value, dict):
        raise BadInput(where, "must be an object with role and content")
    demand_known(value, ("role", "content", "weight"), f"{where}.")
    roles = [one.value for one in Role]
    if value.get("role") not in roles:
        raise BadInput(f"{where}.role", f"must be one of {', '.join(roles)}")
    role = Role(value["role"])
    weight = value.get("weight", 1)
    if "weight" in value and not (weighed and role is Role.ASSISTANT):
        raise BadInput(f"{where}.weight", "is for answers in training data alone")
    if isinstance(weight, bool) or weight not in (0, 1):
        raise BadInput(f"{where}.weight", "must be 0 or 1")
    content = _content(value.get("content"), f"{where}.content")
    return Message(role, content, learned=role is Role.ASSISTANT and bool(weight))


def _content(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadInput(where, "must be a text that is not empty")
    if len(value) > CONTENT_CHARACTERS:
        raise BadInput(where, f"has {len(value)} characters; at most {CONTENT_CHARACTERS}")
    return value
