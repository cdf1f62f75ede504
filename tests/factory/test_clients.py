"""Clients that people use beside the official one get the same answers, on the same books."""

from pathlib import Path
from typing import Any

import pytest

from tests.clients.environment import told
from tests.factory import tools_model
from tests.factory.running import MODEL, Running
from tests.factory.test_dialect import WEATHER, asked_twice, chat

TEXT = "a harbour full of ships"
MESSAGES = [{"role": "user", "content": "Name a harbour."}]

#: What each client calls a refusal.
RAISED = {
    "litellm": {
        "unknown_field": ("BadRequestError", 400, "id_slot"),
        "unsupported": ("BadRequestError", 400, "top_k"),
        "unknown_model": ("NotFoundError", 404, "no-such"),
        "wrong_key": ("AuthenticationError", 401, "API key"),
    },
    "langchain": {
        "unknown_field": ("OpenAIInvalidRequestError", 400, "id_slot"),
        "unsupported": ("OpenAIInvalidRequestError", 400, "reasoning_effort"),
        "unknown_model": ("OpenAIModelNotFoundError", 404, "no-such"),
        "wrong_key": ("OpenAIAuthenticationError", 401, "API key"),
    },
}


@pytest.mark.timeout(900)  # the first time it installs the client
@pytest.mark.parametrize("name", list(RAISED))
def test_another_client_gets_what_the_official_one_gets(
    plant: Running, tmp_path: Path, name: str
) -> None:
    said = {
        "url": f"{plant.url}/v1",
        "key": plant.keys["demo"],
        "model": MODEL,
        "tools_model": tools_model.NAME,
        "messages": MESSAGES,
        "conversation": asked_twice("Paris"),
        "tool": WEATHER,
        "function": "get_weather",
        "text": TEXT,
    }
    got = told(name, said, tmp_path)
    with plant.client("demo") as client:
        official = chat(client, MODEL, messages=MESSAGES, seed=1, max_tokens=12)
        vector = client.embeddings.create(model=MODEL, input=TEXT).data[0].embedding
    text, spent = official.choices[0].message.content, official.usage
    assert text
    whole, streamed = got["whole"], got["streamed"]
    assert [whole["text"], streamed["text"], *got["alongside"]] == [text] * 4
    assert whole["spent"] == streamed["spent"] == [spent.prompt_tokens, spent.completion_tokens]
    check_recorded(plant, whole, tmp_path)
    calls = [["get_weather", {"city": "Paris"}]]
    assert got["tools"]["called"] == got["tools"]["streamed"] == calls
    assert all(got["tools"]["after"]), "a result sent back was not answered"
    assert isinstance(got["shaped"]["berths"], int)
    assert got["vector"] == pytest.approx(vector, abs=1e-4)
    for why, (kind, status, named) in RAISED[name].items():
        raised, told_status, message = got["refusals"][why]
        assert (raised, told_status) == (kind, status), message
        assert named in message


def check_recorded(plant: Running, whole: dict[str, Any], folder: Path) -> None:
    """The usage the client showed is what the record bills."""
    plant.booked(whole["id"])
    records = {one.get("id"): one for one in plant.records("demo", folder)}
    record = records[whole["id"].removeprefix("chatcmpl-")]
    assert (record["outcome"], record["billed"]) == ("complete", True)
    assert [record["prompt_tokens"], record["completion_tokens"]] == whole["spent"]


def _conversation(**more: Any) -> list[dict[str, Any]]:
    call = {"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    said = {"role": "assistant", "content": "", "tool_calls": [call], **more.get("said", {})}
    result = {"role": "tool", "tool_call_id": "c", "content": "sunny", **more.get("result", {})}
    return [*MESSAGES, said, result]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"result": {"name": "get_weather"}}, None),
        ({"result": {"name": "get_news"}}, "messages[2].name"),
        ({"result": {"name": "get_weather", "tool_call_id": "d"}}, "messages[2].name"),
        ({"said": {"provider_specific_fields": {"refusal": None}}}, None),
        ({"said": {"provider_specific_fields": None}}, None),
        (
            {"said": {"provider_specific_fields": {"refusal": "no"}}},
            "messages[1].provider_specific_fields.refusal",
        ),
        (
            {"said": {"provider_specific_fields": {"citations": []}}},
            "messages[1].provider_specific_fields.citations",
        ),
        ({"said": {"name": "bot"}}, "messages[1].name"),
    ],
)
def test_what_clients_send_back_is_taken_where_it_says_nothing_new_else_named(
    plant: Running, more: dict[str, Any], param: str | None
) -> None:
    body = {
        "model": tools_model.NAME,
        "messages": _conversation(**more),
        "tools": [{"type": "function", "function": {"name": "get_weather"}}],
        "parallel_tool_calls": False,
        "max_tokens": 2,
    }
    with plant.http("demo") as http:
        answer = http.post("/v1/chat/completions", json=body)
    if param is None:
        assert answer.status_code == 200, answer.text
    else:
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("tokens", [[1, 2, 3], [[1, 2], [3]]])
def test_tokens_of_another_tokenizer_are_refused_by_name(plant: Running, tokens: Any) -> None:
    with plant.http("demo") as http:
        answer = http.post("/v1/embeddings", json={"model": MODEL, "input": tokens})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith("input")
