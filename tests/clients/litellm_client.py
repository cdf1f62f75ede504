"""LiteLLM as a library against a factory: reads what to ask from stdin, prints what came as JSON.

Runs in an environment of its own, without the package or the tests on its path.
"""

import asyncio
import json
import sys
from typing import Any

import litellm
from pydantic import BaseModel


class Port(BaseModel):
    """What a structured answer is."""

    name: str
    berths: int


def spent(usage: Any) -> list[int]:
    """Tokens of prompt and answer."""
    return [usage.prompt_tokens, usage.completion_tokens]


def called(message: Any) -> list[list[Any]]:
    """The functions a message calls, and with what."""
    calls = message.tool_calls or ()
    return [[call.function.name, json.loads(call.function.arguments)] for call in calls]


def assembled(**asked: Any) -> dict[str, Any]:
    """A stream put together by LiteLLM's own means."""
    with_usage = {"include_usage": True}
    chunks = litellm.completion(stream=True, stream_options=with_usage, **asked)
    built = litellm.stream_chunk_builder(list(chunks))
    message = built.choices[0].message
    return {"text": message.content, "spent": spent(built.usage), "message": message}


async def alongside(asked: dict[str, Any]) -> list[str]:
    """The same text whole and streamed, asynchronously."""
    whole = await litellm.acompletion(**asked)
    stream = await litellm.acompletion(stream=True, **asked)
    parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
    return [whole.choices[0].message.content, "".join(parts)]


def refusal(**asked: Any) -> list[Any]:
    """How a refusal is raised."""
    try:
        litellm.completion(**asked)
    except Exception as error:  # noqa: BLE001 - whatever the client makes of it is told
        return [type(error).__name__, getattr(error, "status_code", None), str(error)]
    return ["answered", None, ""]


def tools(said: dict[str, Any], reach: dict[str, Any]) -> dict[str, Any]:
    """A call whole and streamed, and its result sent back with the message as LiteLLM keeps it."""
    model, conversation = f"openai/{said['tools_model']}", said["conversation"]
    asked = {"model": model, "tools": [said["tool"]], "temperature": 0, "max_tokens": 60, **reach}
    first = litellm.completion(messages=conversation, **asked).choices[0].message
    streamed = assembled(messages=conversation, **asked)["message"]
    after = []
    for message in (first, first.model_dump(), streamed):
        call = (message["tool_calls"] or [{}])[0]
        result = {"role": "tool", "tool_call_id": call["id"], "name": said["function"]}
        messages = [*conversation, message, result | {"content": "sunny"}]
        after.append(litellm.completion(messages=messages, **asked).choices[0].message.content)
    return {"called": called(first), "streamed": called(streamed), "after": after}


def main() -> None:
    """Ask everything once."""
    said = json.load(sys.stdin)
    reach = {"api_base": said["url"], "api_key": said["key"], "num_retries": 0, "max_retries": 0}
    base = {"model": f"openai/{said['model']}", "messages": said["messages"], **reach}
    asked = base | {"temperature": 0, "seed": 1, "max_tokens": 12}
    whole = litellm.completion(**asked, metadata={"team": "port"}, user="somebody")
    streamed = assembled(**asked)
    del streamed["message"]
    shaped = litellm.completion(**base, temperature=0, max_tokens=200, response_format=Port)
    vector = litellm.embedding(model=asked["model"], input=[said["text"]], **reach)
    told = {
        "whole": {
            "id": whole.id,
            "text": whole.choices[0].message.content,
            "spent": spent(whole.usage),
        },
        "streamed": streamed,
        "alongside": asyncio.run(alongside(asked)),
        "tools": tools(said, reach),
        "shaped": Port.model_validate_json(shaped.choices[0].message.content).model_dump(),
        "vector": vector.data[0]["embedding"],
        "refusals": {
            "unknown_field": refusal(**asked, extra_body={"id_slot": 3}),
            "unsupported": refusal(**asked, top_k=3),
            "unknown_model": refusal(**asked | {"model": "openai/no-such"}),
            "wrong_key": refusal(**asked | {"api_key": "inl_x_y"}),
        },
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
