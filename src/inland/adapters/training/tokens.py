"""Examples as tokens: what the base's own chat template makes of them, answers marked.

Each part is made tokens of by itself, for an engine too begins an answer behind a prompt that ends
where the template says.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inland.domain.chat import Example, Message, Role, examples
from inland.domain.errors import BadInput
from inland.domain.json_lines import BadLine, BadLines

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class Tokens:
    """One example. `learned`: for each token, whether training is to bring it about."""

    ids: tuple[int, ...]
    learned: tuple[bool, ...]


def read(
    files: Iterable[tuple[str, bytes]], tokenizer: "PreTrainedTokenizerFast", most: int
) -> list[Tokens]:
    """Every example of the files (name, content), in order, each of at most `most` tokens.

    Raises BadLines: nothing is cut or left out.
    """
    found: list[Tokens] = []
    bad: list[BadLine] = []
    for name, data in files:
        for example in examples(name, data):
            try:
                found.append(_tokens(example, tokenizer, most))
            except BadInput as error:
                bad.append(BadLine(error.field, error.why, name, example.line))
    if bad:
        raise BadLines("data", "has bad lines", tuple(bad))
    return found


def _tokens(example: Example, tokenizer: "PreTrainedTokenizerFast", most: int) -> Tokens:
    _demand_plain(example, tokenizer)
    ids: list[int] = []
    learned: list[bool] = []
    for text, is_learned in _parts(example.messages, tokenizer):
        part = tokenizer.encode(text, add_special_tokens=False)
        ids += part
        learned += [is_learned] * len(part)
    if len(ids) > most:
        raise BadInput("messages", f"have {len(ids)} tokens together; at most {most}")
    return Tokens(tuple(ids), tuple(learned))


def _demand_plain(example: Example, tokenizer: "PreTrainedTokenizerFast") -> None:
    """Raises BadInput where a text has what the template alone may write."""
    for at, message in enumerate(example.messages):
        for token in tokenizer.get_added_vocab():
            if token in message.content and token.strip():
                raise BadInput(
                    f"messages[{at}].content", f"has {token!r}, which only the template may write"
                )


def _parts(
    messages: tuple[Message, ...], tokenizer: "PreTrainedTokenizerFast"
) -> Iterable[tuple[str, bool]]:
    """Text by text, and whether it is an answer to learn. What follows the last answer is not."""
    done = ""
    for at, message in enumerate(messages):
        if message.role is not Role.ASSISTANT:
            continue
        before = _rendered(messages[:at], tokenizer, answering=True)
        answered = _rendered(messages[: at + 1], tokenizer, answering=False).rstrip()
        if not before.startswith(done) or not answered.startswith(before):
            raise BadInput("base", "its chat template does not say where an answer begins")
        if not answered.endswith(tuple(tokenizer.get_added_vocab())):
            raise BadInput("base", "its chat template does not say where an answer ends")
        yield before[len(done) :], False
        yield answered[len(before) :], message.learned
        done = answered


def _rendered(
    messages: tuple[Message, ...], tokenizer: "PreTrainedTokenizerFast", *, answering: bool
) -> str:
    told = [{"role": one.role.value, "content": one.content} for one in messages]
    made = tokenizer.apply_chat_template(told, tokenize=False, add_generation_prompt=answering)
    assert isinstance(made, str)
    return made
