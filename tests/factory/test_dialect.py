"""The whole dialect on real engines: what a deployment's table has works, the rest is refused."""

import base64
import json
import math
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from inland.domain.plant import Feature
from inland.ledger.commitments import commit_output
from tests.factory import tools_model
from tests.factory.running import MODEL, Running

TOOLS = tools_model.NAME
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


@pytest.fixture
def demo(plant: Running) -> Iterator[openai.OpenAI]:
    with plant.client("demo") as client:
        yield client


@pytest.fixture
def acme(plant: Running) -> Iterator[openai.OpenAI]:
    with plant.client("acme") as client:
        yield client


@pytest.fixture
def http(plant: Running) -> Iterator[httpx.Client]:
    with plant.http("demo") as client:
        yield client


def told(plant: Running, name: str) -> dict[Feature, str]:
    """The deployment's table: feature → yes or no."""
    rows = plant.json("deploy", "show", name)["supports"]
    return {Feature(row["feature"]): row["supported"] for row in rows}


def asked_twice(city: str) -> list[dict[str, Any]]:
    """A conversation that called for the weather twice, and asks again."""
    messages: list[dict[str, Any]] = []
    for at, before in enumerate(("Rome", "Oslo", "Lima")):
        messages.append({"role": "user", "content": f"What is the weather in {before}?"})
        function = {"name": "get_weather", "arguments": json.dumps({"city": before})}
        call = {"id": f"call-{at}", "type": "function", "function": function}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
    return [*messages, {"role": "user", "content": f"What is the weather in {city}?"}]


def chat(client: openai.OpenAI, model: str, **asked: Any) -> Any:
    messages = asked.pop("messages", [{"role": "user", "content": "Name a harbour."}])
    return client.chat.completions.create(
        model=model, messages=messages, **{"max_tokens": 40, "temperature": 0, **asked}
    )


# -- each row of the table: that it works where it says yes, and the field named where it says no


def _tokens_of_logprobs(client: openai.OpenAI, model: str) -> None:
    answer = chat(client, model, logprobs=True, top_logprobs=2, max_tokens=3)
    entries = answer.choices[0].logprobs.content
    assert "".join(one.token for one in entries) == answer.choices[0].message.content
    assert all(len(one.top_logprobs) == 2 for one in entries)


def _system(client: openai.OpenAI, model: str) -> None:
    user = {"role": "user", "content": "Go on."}
    system = {"role": "system", "content": "Say only the word harbour."}
    said = chat(client, model, messages=[system, user]).usage.prompt_tokens
    longer = {"role": "developer", "content": system["content"] * 3}
    assert chat(client, model, messages=[longer, user]).usage.prompt_tokens > said


def _calls(answer: Any) -> list[tuple[str, dict[str, Any]]]:
    calls = answer.choices[0].message.tool_calls or []
    return [(call.function.name, json.loads(call.function.arguments)) for call in calls]


def _tools(client: openai.OpenAI, model: str) -> None:
    answer = chat(client, model, messages=asked_twice("Paris"), tools=[WEATHER])
    assert answer.choices[0].finish_reason == "tool_calls"
    assert _calls(answer) == [("get_weather", {"city": "Paris"})]


def _tool_choice(client: openai.OpenAI, model: str) -> None:
    other = {"type": "function", "function": {"name": "get_news", "parameters": {"type": "object"}}}
    messages = asked_twice("Berlin")
    must = chat(client, model, messages=messages, tools=[WEATHER], tool_choice="required")
    assert _calls(must) == [("get_weather", {"city": "Berlin"})]
    named = {"type": "function", "function": {"name": "get_news"}}
    other_one = chat(client, model, messages=messages, tools=[WEATHER, other], tool_choice=named)
    assert [name for name, _ in _calls(other_one)] in (["get_news"], [])  # never the other one


def _parallel(client: openai.OpenAI, model: str) -> None:
    answer = chat(
        client, model, messages=asked_twice("Paris"), tools=[WEATHER], parallel_tool_calls=True
    )
    assert ("get_weather", {"city": "Paris"}) in _calls(answer)


class Port(BaseModel):
    name: str
    berths: int


def _json_schema(client: openai.OpenAI, model: str) -> None:
    done = client.chat.completions.parse(
        model=model,
        messages=[{"role": "user", "content": "Describe a harbour."}],
        response_format=Port,
        max_tokens=200,
        seed=1,
    )
    assert isinstance(done.choices[0].message.parsed, Port)


def _json_object(client: openai.OpenAI, model: str) -> None:
    answer = chat(client, model, response_format={"type": "json_object"}, max_tokens=200)
    text = answer.choices[0].message.content
    assert text.lstrip().startswith("{")
    if answer.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(text), dict)


def _completions(client: openai.OpenAI, model: str) -> None:
    done = client.completions.create(model=model, prompt="The pump is", max_tokens=5)
    assert done.choices[0].text
    assert done.usage is not None
    assert done.usage.completion_tokens == 5


def _embeddings(client: openai.OpenAI, model: str) -> None:
    done = client.embeddings.create(model=model, input="a harbour")
    assert len(done.data[0].embedding) > 100


def _dimensions(client: openai.OpenAI, model: str) -> None:
    done = client.embeddings.create(model=model, input="a", dimensions=8)
    assert len(done.data[0].embedding) == 8


WORKS: dict[Feature, Callable[[openai.OpenAI, str], None]] = {
    Feature.CHAT: chat,
    Feature.SYSTEM: _system,
    Feature.TOOLS: _tools,
    Feature.TOOL_CHOICE: _tool_choice,
    Feature.PARALLEL_TOOL_CALLS: _parallel,
    Feature.JSON_OBJECT: _json_object,
    Feature.JSON_SCHEMA: _json_schema,
    Feature.LOGPROBS: _tokens_of_logprobs,
    Feature.COMPLETIONS: _completions,
    Feature.EMBEDDINGS: _embeddings,
    Feature.DIMENSIONS: _dimensions,
}

#: The field that a refusal names.
NAMED = {
    Feature.TOOLS: "messages[1].tool_calls",
    Feature.TOOL_CHOICE: "messages[1].tool_calls",
    Feature.PARALLEL_TOOL_CALLS: "messages[1].tool_calls",
    Feature.DIMENSIONS: "dimensions",
}


@pytest.mark.parametrize("name", [MODEL, TOOLS])
@pytest.mark.parametrize("feature", list(Feature))
def test_what_the_table_has_works_and_what_it_lacks_is_refused_by_its_field(
    plant: Running, demo: openai.OpenAI, name: str, feature: Feature
) -> None:
    if told(plant, name)[feature] == "yes":
        WORKS[feature](demo, name)
        return
    with pytest.raises(openai.BadRequestError) as refused:
        WORKS[feature](demo, name)
    assert refused.value.param == NAMED[feature]
    assert refused.value.code == "unsupported"


def test_the_table_tells_a_template_with_tools_from_one_without(
    plant: Running, http: httpx.Client
) -> None:
    assert {feature for feature, known in told(plant, TOOLS).items() if known == "no"} == {
        Feature.DIMENSIONS
    }
    lacks = {feature for feature, known in told(plant, MODEL).items() if known == "no"}
    assert lacks == {
        Feature.TOOLS,
        Feature.TOOL_CHOICE,
        Feature.PARALLEL_TOOL_CALLS,
        Feature.DIMENSIONS,
    }
    printed = plant.run("deploy", "show", MODEL).stdout
    assert "chat template" in printed
    features = http.get(f"/v1/models/{TOOLS}").json()["features"]
    assert "tools" in features


@pytest.mark.parametrize(
    ("field", "value"),
    [("tools", [WEATHER]), ("echo", True), ("suffix", "x"), ("best_of", 2), ("logit_bias", {})],
)
def test_a_field_outside_the_table_is_named_never_dropped(
    http: httpx.Client, field: str, value: Any
) -> None:
    path = "/v1/chat/completions" if field == "tools" else "/v1/completions"
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "prompt": "Hi"}
    del body["prompt" if field == "tools" else "messages"]
    answer = http.post(path, json=body | {field: value})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)


# -- completions


def test_choices_of_the_first_prompt_come_first_and_are_counted_in_full(
    acme: openai.OpenAI,
) -> None:
    prompts = ["The pump is", "Ships carry"]
    done = acme.completions.create(
        model=MODEL, prompt=prompts, n=2, max_tokens=4, temperature=0, logprobs=2
    )
    assert [choice.index for choice in done.choices] == [0, 1, 2, 3]
    alone = [
        acme.completions.create(model=MODEL, prompt=one, max_tokens=4, temperature=0)
        for one in prompts
    ]
    texts = [one.choices[0].text for one in alone]
    assert [choice.text for choice in done.choices] == [texts[0], texts[0], texts[1], texts[1]]
    assert done.usage is not None
    assert done.usage.completion_tokens == 16
    assert done.usage.prompt_tokens == sum(one.usage.prompt_tokens for one in alone if one.usage)
    for choice in done.choices:
        spoken = choice.logprobs
        assert spoken is not None
        assert "".join(spoken.tokens or ()) == choice.text
        assert spoken.text_offset == [
            sum(map(len, (spoken.tokens or [])[:at])) for at in range(len(spoken.tokens or ()))
        ]
        assert all(len(top) == 2 for top in spoken.top_logprobs or ())


def test_streamed_completions_say_the_same_and_are_on_the_books_the_same(
    plant: Running, acme: openai.OpenAI, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {
        "model": MODEL,
        "prompt": ["Water", "Steel"],
        "max_tokens": 6,
        "temperature": 0,
    }
    whole = acme.completions.create(**asked)
    texts, ids, usage = ["", ""], set(), None
    for event in acme.completions.create(
        **asked, stream=True, stream_options={"include_usage": True}
    ):
        ids.add(event.id)
        usage = event.usage or usage
        for choice in event.choices:
            texts[choice.index] += choice.text
    assert texts == [choice.text for choice in whole.choices]
    assert usage == whole.usage or (
        usage is not None
        and whole.usage is not None
        and usage.completion_tokens == whole.usage.completion_tokens
    )
    (streamed,) = ids
    for identity in (whole.id, streamed):
        check_committed(plant, "acme", identity.removeprefix("cmpl-"), texts, tmp_path)


def check_committed(
    plant: Running, tenant: str, ref: str, texts: list[str], folder: Path
) -> dict[str, Any]:
    """The record of `ref` commits to `texts`, as its tenant can show."""
    plant.receipt(ref, folder / "receipt.json")
    key = plant.as_tenant(tenant).json("receipt", "open", ref)["key"]
    record: dict[str, Any] = json.loads((folder / "receipt.json").read_bytes())["chain"][0][
        "record"
    ]
    expected = [commit_output(bytes.fromhex(key), at, text) for at, text in enumerate(texts)]
    assert record["output"] == expected
    return record


# -- embeddings


def test_a_vector_is_the_same_in_numbers_and_in_base64_and_committed_to(
    plant: Running, http: httpx.Client, tmp_path: Path
) -> None:
    texts = ["a harbour full of ships", "ships in a harbour", "the price of bread"]

    def ask(form: str) -> httpx.Response:
        body = {"model": MODEL, "input": texts, "encoding_format": form}
        return http.post("/v1/embeddings", json=body)

    numbers, packed = ask("float"), ask("base64")
    vectors = [one["embedding"] for one in numbers.json()["data"]]
    coded = [one["embedding"] for one in packed.json()["data"]]
    size = len(vectors[0])
    assert [list(struct.unpack(f"<{size}f", base64.b64decode(one))) for one in coded] == vectors
    assert all(math.isclose(math.hypot(*one), 1, rel_tol=1e-3) for one in vectors)
    for answer in (numbers, packed):
        spent = answer.json()["usage"]
        assert spent["prompt_tokens"] == spent["total_tokens"] > len(texts)
        record = check_committed(plant, "demo", answer.headers["inland-receipt"], coded, tmp_path)
        assert (record["route"], record["completion_tokens"]) == ("embeddings", 0)
        assert record["prompt_tokens"] == spent["prompt_tokens"]
    alone = http.post("/v1/embeddings", json={"model": MODEL, "input": texts[1]}).json()
    assert alone["data"][0]["embedding"] == pytest.approx(vectors[1], abs=1e-4)


def test_a_text_longer_than_the_context_is_refused_and_unbilled(http: httpx.Client) -> None:
    body = {"model": MODEL, "input": ["short", "long " * 5000]}
    answer = http.post("/v1/embeddings", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == "engine_refused"


def test_embedding_a_text_leaves_nothing_for_the_next_chat_to_find(
    http: httpx.Client, demo: openai.OpenAI, acme: openai.OpenAI
) -> None:
    """An engine that embedded in the slots of its chats would let the next one there see it."""
    secret = "The password of the lighthouse keeper is a long and rather secret one. " * 8
    for _ in range(4):
        http.post("/v1/embeddings", json={"model": MODEL, "input": secret}).raise_for_status()
    for client in (acme, demo):
        done = client.completions.create(model=MODEL, prompt=secret, max_tokens=1)
        assert done.usage is not None
        assert done.usage.prompt_tokens_details is not None
        assert done.usage.prompt_tokens_details.cached_tokens == 0


# -- tools


def test_a_streamed_call_is_assembled_and_committed_to_like_a_whole_one(
    plant: Running, demo: openai.OpenAI, tmp_path: Path
) -> None:
    with demo.chat.completions.stream(
        model=TOOLS,
        messages=asked_twice("Paris"),
        tools=[WEATHER],  # type: ignore[list-item]
        temperature=0,
        max_tokens=60,
    ) as stream:
        done = stream.get_final_completion()
    calls = done.choices[0].message.tool_calls or []
    assert len(calls) == 1
    call = calls[0]
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "get_weather",
        {"city": "Paris"},
    )
    function = {"name": call.function.name, "arguments": call.function.arguments}
    written = {
        "content": done.choices[0].message.content or None,
        "tool_calls": [{"id": call.id, "type": "function", "function": function}],
    }
    text = json.dumps(written, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    check_committed(plant, "demo", done.id.removeprefix("chatcmpl-"), [text], tmp_path)


def test_a_call_and_its_result_go_back_into_the_conversation(demo: openai.OpenAI) -> None:
    messages = asked_twice("Paris")
    first = chat(demo, TOOLS, messages=messages, tools=[WEATHER])
    said = first.choices[0].message
    result = {"role": "tool", "tool_call_id": said.tool_calls[0].id, "content": "sunny"}
    second = chat(demo, TOOLS, messages=[*messages, said, result], tools=[WEATHER])
    assert second.choices[0].message.content or second.choices[0].message.tool_calls
    assert second.usage.prompt_tokens > first.usage.prompt_tokens
