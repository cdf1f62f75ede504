"""langchain-openai against a factory: reads what to ask from stdin, prints what came as JSON.

Runs in an environment of its own, without the package or the tests on its path.
"""

import asyncio
import json
import sys
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel


class Port(BaseModel):
    """What a structured answer is."""

    name: str
    berths: int


def spent(usage: Any) -> list[int]:
    """Tokens of prompt and answer."""
    return [usage["input_tokens"], usage["output_tokens"]]


def called(message: Any) -> list[list[Any]]:
    """The functions a message calls, and with what."""
    return [[call["name"], call["args"]] for call in message.tool_calls]


def assembled(model: Any, messages: Any) -> Any:
    """A stream put together by LangChain's own means."""
    chunks = list(model.stream(messages))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


async def alongside(model: ChatOpenAI, messages: Any) -> list[str]:
    """The same text whole and streamed, asynchronously."""
    whole = await model.ainvoke(messages)
    parts = [chunk.content async for chunk in model.astream(messages)]
    return [whole.content, "".join(parts)]


def refusal(messages: Any, **options: Any) -> list[Any]:
    """How a refusal is raised."""
    try:
        ChatOpenAI(**options).invoke(messages)
    except Exception as error:  # noqa: BLE001 - whatever the client makes of it is told
        return [type(error).__name__, getattr(error, "status_code", None), str(error)]
    return ["answered", None, ""]


def remembered(conversation: list[dict[str, Any]]) -> list[BaseMessage]:
    """The conversation in LangChain's own messages."""
    messages: list[BaseMessage] = []
    for turn in conversation:
        if turn["role"] == "user":
            messages.append(HumanMessage(turn["content"]))
            continue
        calls = [
            {
                "id": call["id"],
                "name": call["function"]["name"],
                "args": json.loads(call["function"]["arguments"]),
            }
            for call in turn["tool_calls"]
        ]
        messages.append(AIMessage("", tool_calls=calls))
    return messages


def tools(said: dict[str, Any], reach: dict[str, Any]) -> dict[str, Any]:
    """A call whole and streamed, and its result sent back with LangChain's own message."""
    model = ChatOpenAI(model=said["tools_model"], temperature=0, max_tokens=60, **reach)
    bound = model.bind_tools([said["tool"]], parallel_tool_calls=False)
    conversation = remembered(said["conversation"])
    first = bound.invoke(conversation)
    streamed = assembled(bound, conversation)
    after = []
    for message in (first, streamed):
        name, identity = said["function"], message.tool_calls[0]["id"]
        result = ToolMessage("sunny", tool_call_id=identity, name=name)
        after.append(bound.invoke([*conversation, message, result]).content)
    return {"called": called(first), "streamed": called(streamed), "after": after}


def main() -> None:
    """Ask everything once."""
    said = json.load(sys.stdin)
    reach = {"base_url": said["url"], "api_key": said["key"], "max_retries": 0}
    base = {"model": said["model"], "temperature": 0, **reach}
    asked = base | {"seed": 1, "max_tokens": 12}
    messages = [(turn["role"], turn["content"]) for turn in said["messages"]]
    whole = ChatOpenAI(**asked, metadata={"team": "port"}).invoke(messages)
    streamed = assembled(ChatOpenAI(**asked, stream_usage=True), messages)
    shaped = ChatOpenAI(**base, max_tokens=200).with_structured_output(Port, method="json_schema")
    vectors = OpenAIEmbeddings(model=said["model"], check_embedding_ctx_length=False, **reach)
    told = {
        "whole": {
            "id": whole.response_metadata["id"],
            "text": whole.content,
            "spent": spent(whole.usage_metadata),
        },
        "streamed": {
            "text": streamed.content,
            "spent": spent(streamed.usage_metadata),
        },
        "alongside": asyncio.run(alongside(ChatOpenAI(**asked), messages)),
        "tools": tools(said, reach),
        "shaped": shaped.invoke(messages).model_dump(),
        "vector": vectors.embed_query(said["text"]),
        "refusals": {
            "unknown_field": refusal(messages, **asked, extra_body={"id_slot": 3}),
            "unsupported": refusal(messages, **asked, reasoning_effort="low"),
            "unknown_model": refusal(messages, **asked | {"model": "no-such"}),
            "wrong_key": refusal(messages, **asked | {"api_key": "inl_x_y"}),
        },
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
