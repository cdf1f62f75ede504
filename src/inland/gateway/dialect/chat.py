"""`/v1/chat/completions`: a conversation, tools and the answer's form included.

Fields of a message that hold null say nothing, so an answer's message can be sent back as it came,
also as LiteLLM keeps it. The name of a result's function is taken where its call has said the same.
A developer's message is a system message: chat templates know no other.
"""

from collections.abc import Sequence
from itertools import count
from typing import Annotated, Any, Literal

import msgspec
from msgspec.structs import replace

from inland.domain.limits import Limits
from inland.domain.plant import Feature
from inland.gateway.assembly import Assembly, Choice
from inland.gateway.dialect.asked import (
    Need,
    Positive,
    Said,
    Sampling,
    too_many_tokens,
    usage,
)
from inland.gateway.dialect.decoding import decoder
from inland.gateway.dialect.events import Stream, encode
from inland.gateway.dialect.schemas import check_answer, check_tools
from inland.gateway.errors import invalid
from inland.ports.engine import (
    CalledFunction,
    CallPart,
    Chat,
    Counts,
    Function,
    JsonSchema,
    Message,
    Piece,
    TokenLogprob,
    ToolCall,
    Work,
)

ROUTE = "chat.completions"
_CHAT: Need = ("model", Feature.CHAT)
_LEFT_TO_THE_MODEL = (None, "none", "auto")
_WHOLE = (
    b'{"id":"chatcmpl-%b","object":"chat.completion","created":%d,"model":%b,"choices":[%b],'
    b'"usage":%b}'
)
_CHOICE = (
    b'{"index":%d,"message":{"role":"assistant","content":%b,"refusal":null%b},"logprobs":%b,'
    b'"finish_reason":%b}'
)
_PLAIN = b'{"index":%d,"delta":{"content":%b},"logprobs":null,"finish_reason":null}'
_NAME = Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}(?!\n)$")]


class TextPart(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: Literal["text"]
    text: str


Content = str | list[TextPart]


class System(msgspec.Struct, forbid_unknown_fields=True, gc=False, tag_field="role", tag="system"):
    content: Content

    def message(self) -> Message:
        content = self.content
        return Message("system", content if isinstance(content, str) else _joined(content))


class Developer(System, forbid_unknown_fields=True, gc=False, tag="developer"):
    """As a system message."""


class User(msgspec.Struct, forbid_unknown_fields=True, gc=False, tag_field="role", tag="user"):
    content: Content

    def message(self) -> Message:
        content = self.content
        return Message("user", content if isinstance(content, str) else _joined(content))


class CallBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id: str
    function: "CalledBody"
    type: Literal["function"] = "function"


class CalledBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    name: str
    arguments: str


class Silent(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What LiteLLM keeps beside an answer's message and sends back: here it can only be null."""

    refusal: None = None


class Assistant(
    msgspec.Struct, forbid_unknown_fields=True, gc=False, tag_field="role", tag="assistant"
):
    content: Content | None = None
    tool_calls: list[CallBody] | None = None
    refusal: None = None
    annotations: None = None
    audio: None = None
    function_call: None = None
    parsed: None = None
    provider_specific_fields: Silent | None = None

    def message(self) -> Message:
        calls = [
            ToolCall(call.id, CalledFunction(call.function.name, call.function.arguments))
            for call in self.tool_calls or ()
        ]
        content = self.content
        text = _joined(content) if isinstance(content, list) else content
        return Message("assistant", text, calls or None)


class Tool(msgspec.Struct, forbid_unknown_fields=True, gc=False, tag_field="role", tag="tool"):
    """What a call came to. `name`: the function that was called, as the call has it."""

    content: Content
    tool_call_id: str
    name: str | None = None

    def message(self) -> Message:
        content = self.content
        text = content if isinstance(content, str) else _joined(content)
        return Message("tool", text, tool_call_id=self.tool_call_id)


Turn = System | Developer | User | Assistant | Tool


class FunctionBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    name: _NAME
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: Literal["function"]
    function: FunctionBody


class NameBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    name: str


class ChosenBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: Literal["function"]
    function: NameBody


class SchemaBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    name: _NAME
    schema: dict[str, Any] = {}
    description: str | None = None
    strict: bool | None = None


class AsText(msgspec.Struct, forbid_unknown_fields=True, gc=False, tag_field="type", tag="text"):
    """Any text."""


class AsObject(
    msgspec.Struct, forbid_unknown_fields=True, gc=False, tag_field="type", tag="json_object"
):
    """Some JSON object."""


class AsSchema(
    msgspec.Struct, forbid_unknown_fields=True, gc=False, tag_field="type", tag="json_schema"
):
    """A JSON document that its schema describes."""

    json_schema: SchemaBody


class ChatBody(Sampling, forbid_unknown_fields=True, gc=False, kw_only=True):
    """The fields of OpenAI's chat completions that Inland knows."""

    messages: list[Turn]
    max_completion_tokens: Positive | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None
    tools: Annotated[list[ToolBody], msgspec.Meta(min_length=1)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ChosenBody | None = None
    parallel_tool_calls: bool | None = None
    response_format: AsText | AsObject | AsSchema | None = None

    def needs(self) -> list[Need]:
        needs = [_CHAT]
        _add_needs(needs, self.messages)
        if self.tools:
            needs.append(("tools", Feature.TOOLS))
        if self.tool_choice not in _LEFT_TO_THE_MODEL:
            needs.append(("tool_choice", Feature.TOOL_CHOICE))
        if self.parallel_tool_calls:
            needs.append(("parallel_tool_calls", Feature.PARALLEL_TOOL_CALLS))
        if self.response_format is not None and not isinstance(self.response_format, AsText):
            is_any = isinstance(self.response_format, AsObject)
            feature = Feature.JSON_OBJECT if is_any else Feature.JSON_SCHEMA
            needs.append(("response_format", feature))
        if self.logprobs:
            needs.append(("logprobs", Feature.LOGPROBS))
        return needs

    def work(self, limits: Limits, slots: int) -> Work:
        self.check(limits, slots)
        if not 1 <= len(self.messages) <= limits.messages:
            raise invalid("messages", f"Give 1 to {limits.messages} messages.")
        if self.top_logprobs is not None and not self.logprobs:
            raise invalid("top_logprobs", "`top_logprobs` goes with `logprobs: true` only.")
        return Work(
            self._task(limits),
            bool(self.stream),
            self.n or 1,
            self.max_tokens if self.max_completion_tokens is None else self._most_tokens(limits),
            None if self.stop is None else self.stops(limits),
            self.seed,
            self.temperature,
            self.top_p,
            self.presence_penalty,
            self.frequency_penalty,
            bool(self.logprobs),
            self.top_logprobs,
            answer_tokens=limits.answer_tokens,
        )

    def _most_tokens(self, limits: Limits) -> int | None:
        older, newer = self.max_tokens, self.max_completion_tokens
        if newer is None:
            return older
        if older is not None and older != newer:
            text = "`max_tokens` and `max_completion_tokens` differ; give one."
            raise invalid("max_tokens", text)
        if newer > limits.answer_tokens:
            raise too_many_tokens("max_completion_tokens", limits)
        return newer

    def _task(self, limits: Limits) -> Chat:
        messages: list[Message] = []
        answers = False
        for turn in self.messages:
            message = turn.message()
            if message.content is None and not message.tool_calls:
                field = f"messages[{len(messages)}].content"
                raise invalid(field, "Say something, or call a tool.")
            messages.append(message)
            answers = answers or message.tool_call_id is not None
        if answers:
            _check_names(self.messages)
        if self.tools is None:
            choice = None
            if self.tool_choice is not None or self.parallel_tool_calls:
                choice = self._chosen_of_none()
            json = self.response_format is not None and self._json(limits)
            return Chat(messages, [], choice, None, self.parallel_tool_calls, json)
        tools = self._tools(self.tools, limits)
        choice, function = self._chosen({tool.name for tool in tools})
        return Chat(messages, tools, choice, function, self.parallel_tool_calls, self._json(limits))

    def _chosen_of_none(self) -> str | None:
        choice = self.tool_choice
        if isinstance(choice, ChosenBody) or choice not in {None, "none"}:
            raise invalid("tool_choice", "`tool_choice` goes with `tools` only.")
        if self.parallel_tool_calls:
            text = "`parallel_tool_calls` goes with `tools` only."
            raise invalid("parallel_tool_calls", text)
        return choice

    def _tools(self, tools: list[ToolBody], limits: Limits) -> list[Function]:
        if len(tools) > limits.tools:
            raise invalid("tools", f"Give at most {limits.tools} tools.")
        names = [tool.function.name for tool in tools]
        if len(set(names)) < len(names):
            raise invalid("tools", "Two tools have the same name.")
        check_tools([tool.function.parameters for tool in tools], limits)
        return [
            Function(one.name, one.description, one.parameters, one.strict)
            for one in (tool.function for tool in tools)
        ]

    def _chosen(self, names: set[str]) -> tuple[str | None, str | None]:
        if not isinstance(self.tool_choice, ChosenBody):
            return self.tool_choice, None
        name = self.tool_choice.function.name
        if name not in names:
            raise invalid("tool_choice", "`tool_choice` names a function that is not in `tools`.")
        return None, name

    def _json(self, limits: Limits) -> JsonSchema | bool:
        match self.response_format:
            case AsSchema(said):
                check_answer(said.schema, limits)
                return JsonSchema(said.name, said.schema, said.description, said.strict)
            case AsObject():
                return True
            case _:
                return False

    def whole(self, said: Said, assembly: Assembly, counts: Counts) -> bytes:
        spoken = b",".join(map(self._choice, count(), assembly.choices))
        return _WHOLE % (said.id.encode(), said.created, encode(said.model), spoken, usage(counts))

    def _choice(self, index: int, choice: Choice) -> bytes:
        text = choice.text
        calls = b""
        if choice.calls:
            calls = b',"tool_calls":%b' % encode([call.written() for call in choice.calls])
        logprobs = b"null"
        if self.logprobs:
            logprobs = encode(_logprobs(choice.logprobs, self.top_logprobs or 0))
        content = encode(text) if text or not choice.calls else b"null"
        return _CHOICE % (index, content, calls, logprobs, encode(choice.finish))

    def events(self, said: Said) -> "ChatEvents":
        top = (self.top_logprobs or 0) if self.logprobs else None
        return ChatEvents(said, with_usage=self.with_usage(), logprobs=top)


decode = decoder(ChatBody)


def _add_needs(needs: list[Need], messages: list[Turn]) -> None:
    """Each feature once, for the message that takes it first."""
    system = tools = False
    for at, turn in enumerate(messages):
        if isinstance(turn, User):
            continue
        if isinstance(turn, System):
            if not system:
                system = True
                needs.append((f"messages[{at}].role", Feature.SYSTEM))
        elif not tools and (isinstance(turn, Tool) or turn.tool_calls):
            tools = True
            field = "role" if isinstance(turn, Tool) else "tool_calls"
            needs.append((f"messages[{at}].{field}", Feature.TOOLS))


def _check_names(messages: list[Turn]) -> None:
    """Raises Refused where a result names another function than its call: no engine is told it."""
    called: dict[str, str] = {}
    for at, turn in enumerate(messages):
        if isinstance(turn, Assistant):
            called |= {call.id: call.function.name for call in turn.tool_calls or ()}
        elif isinstance(turn, Tool) and turn.name not in (None, called.get(turn.tool_call_id)):
            text = "`name` is not that of the function this result's call named; leave it out."
            raise invalid(f"messages[{at}].name", text)


def _joined(parts: list[TextPart]) -> str:
    return "\n".join(part.text for part in parts)


def _logprobs(entries: Sequence[TokenLogprob], top: int) -> dict[str, object]:
    """With as many alternatives as were asked for: engines may send more."""
    cut = [replace(entry, top_logprobs=entry.top_logprobs[:top]) for entry in entries]
    return {"content": cut, "refusal": None}


class ChatEvents(Stream):
    """A conversation's answer as events. Finish events are kept back until the answer's end."""

    def __init__(self, said: Said, *, with_usage: bool, logprobs: int | None) -> None:
        super().__init__("chatcmpl", "chat.completion.chunk", said, with_usage=with_usage)
        self._logprobs = logprobs
        self._plain = b"%b%b%b" % (self._head.replace(b"%", b"%%"), _PLAIN, self._tail)
        self._begun: set[int] = set()
        self._told: dict[tuple[int, int], set[str]] = {}

    def piece(self, piece: Piece) -> bytes:
        if piece.calls is None and self._logprobs is None and piece.index in self._begun:
            return self._plain % (piece.index, encode(piece.text))  # as nearly always
        delta: dict[str, object] = {}
        if piece.text or not piece.calls:
            delta["content"] = piece.text
        if piece.calls:
            delta["tool_calls"] = [self._part(piece.index, part) for part in piece.calls]
        if piece.index not in self._begun:
            self._begun.add(piece.index)
            delta = {"role": "assistant", "content": None, **delta}
        spoken: dict[str, object] | None = None
        if self._logprobs is not None and piece.logprobs:
            spoken = _logprobs(piece.logprobs, self._logprobs)
        return self._event(piece.index, delta, spoken, None)

    def finish(self, index: int, finish: str) -> bytes:
        opening = b""
        if index not in self._begun:
            self._begun.add(index)
            opening = self._event(index, {"role": "assistant", "content": ""}, None, None)
        return opening + self._event(index, {}, None, finish)

    def _part(self, choice: int, part: CallPart) -> dict[str, object]:
        """A part of a call. Its id and name are told once: a client puts parts together."""
        told = self._told.setdefault((choice, part.index), set())
        function: dict[str, object] = {"arguments": part.arguments}
        written: dict[str, object] = {"index": part.index, "function": function}
        if part.name and "name" not in told:
            function["name"] = part.name
            told.add("name")
        if part.id and "id" not in told:
            written |= {"id": part.id, "type": "function"}
            told.add("id")
        return written

    def _event(
        self,
        index: int,
        delta: dict[str, object],
        logprobs: dict[str, object] | None,
        finish: str | None,
    ) -> bytes:
        return self.event(
            b'{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":%b}'
            % (
                index,
                encode(delta),
                encode(logprobs),
                encode(finish),
            )
        )
