"""The official client's own behaviours on a real factory: retries, timeouts, helpers, errors."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from pydantic import BaseModel

from tests.factory.running import MODEL, Running, running
from tests.patience import PATIENCE_S, until

ASK = [{"role": "user", "content": "Name a harbour."}]
LONG = [{"role": "user", "content": "Write a long story about a harbour and its ships."}]
SHORT: dict[str, Any] = {"model": MODEL, "messages": ASK, "max_tokens": 8, "temperature": 0}
#: A read ends after this where a test wants the client to lose patience, in seconds.
IMPATIENT_S = 0.05
#: Enough for any answer on any machine: what is waited for has an end of its own.
RETRIES = 200


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    """A factory in which one request of a tenant may wait."""
    with running(tmp_path_factory.mktemp("narrow") / "home", queue=1) as up:
        yield up


def requests_of(factory: Running, tenant: str, folder: Path) -> dict[str, dict[str, Any]]:
    """The tenant's records of requests, by id."""
    found = factory.records(tenant, folder)
    return {one["id"]: one for one in found if one["kind"] == "request"}


def hooked(hook: Callable[[Any], None], on: str = "response", **options: Any) -> Any:
    """An HTTP client of the official one's kind that calls `hook` at each request or response."""
    return openai.DefaultHttpxClient(event_hooks={on: [hook]}, **options)


def ref_of(answer: Any) -> str:
    return str(answer.id).partition("-")[2]


# -- retries


def test_a_full_queue_is_retried_until_answered_and_billed_once(
    narrow: Running, tmp_path: Path
) -> None:
    """The engine is held until one was: before that there is room for so few."""
    told: list[tuple[int, str | None]] = []

    def note(response: Any) -> None:
        told.append((response.status_code, response.headers.get("retry-after")))

    asked = SHORT | {"messages": LONG, "max_tokens": 16}
    with (
        narrow.client("demo", max_retries=RETRIES, http_client=hooked(note)) as client,
        ThreadPoolExecutor(24) as pool,
    ):
        with narrow.held():
            waiting = [pool.submit(client.chat.completions.create, **asked) for _ in range(24)]
            until(lambda: any(status == 429 for status, _ in told), "the queue never filled")
        answers = [one.result() for one in waiting]
    refused = [after for status, after in told if status == 429]
    assert refused
    assert all(after and int(after) >= 1 for after in refused)
    records = settled(narrow, "demo", len(answers), tmp_path)
    assert set(records) == {ref_of(one) for one in answers}
    assert all(one["billed"] and one["outcome"] == "complete" for one in records.values())
    with pytest.raises(openai.RateLimitError) as limited, narrow.client("demo") as hasty:
        until(lambda: fill(hasty, asked))
    assert (limited.value.status_code, limited.value.code) == (429, "queue_full")


def fill(client: openai.OpenAI, asked: dict[str, Any]) -> None:
    """Ask for more at once than fits. Raises what the client raises for one that did not."""
    with ThreadPoolExecutor(24) as pool:
        for one in [pool.submit(client.chat.completions.create, **asked) for _ in range(24)]:
            one.result()


def test_a_gateway_without_a_lease_is_asked_again_until_it_has_one(
    narrow: Running, tmp_path: Path
) -> None:
    control, met = narrow.pid("control"), threading.Event()

    def note(response: Any) -> None:
        if response.status_code == 503 and not met.is_set():
            assert int(response.headers["retry-after"]) >= 1
            met.set()
            os.kill(control, signal.SIGCONT)

    answers = []
    os.kill(control, signal.SIGSTOP)
    try:
        with narrow.client("acme", max_retries=RETRIES, http_client=hooked(note)) as client:
            while not met.is_set():
                answers.append(client.chat.completions.create(**SHORT))
                time.sleep(0.2)
    finally:
        os.kill(control, signal.SIGCONT)
    whole = settled(narrow, "acme", len(answers), tmp_path, {"complete"})
    assert set(whole) == {ref_of(one) for one in answers}


# -- timeouts


def test_a_client_that_lost_patience_is_on_the_books_and_its_retry_is_billed_once(
    factory: Running, tmp_path: Path
) -> None:
    factory.run("tenant", "add", "hasty")
    factory.key("hasty")
    tries: list[float] = []

    def hurry(request: Any) -> None:
        tries.append(time.monotonic())
        if len(tries) == 1:
            request.extensions["timeout"] = request.extensions["timeout"] | {"read": IMPATIENT_S}

    asked = SHORT | {"messages": LONG, "max_tokens": 200}
    hurried = hooked(hurry, "request")
    impatient = httpx2.Timeout(PATIENCE_S, read=IMPATIENT_S)
    with factory.client("hasty", max_retries=1, http_client=hurried) as client:
        answer = client.chat.completions.create(**asked)
        before = generated_when_idle(factory)
        hasty = client.with_options(timeout=impatient, max_retries=0)
        with pytest.raises(openai.APITimeoutError):
            hasty.chat.completions.create(**asked)
    assert len(tries) == 3
    wasted = generated_when_idle(factory) - before
    records = settled(factory, "hasty", 3, tmp_path)
    assert answer.usage is not None
    assert wasted < answer.usage.completion_tokens, "the engine went on for a caller who had left"
    whole = records.pop(ref_of(answer))
    assert (whole["outcome"], whole["billed"]) == ("complete", True)
    assert whole["completion_tokens"] == answer.usage.completion_tokens
    for one in records.values():
        assert one["outcome"] == "hung-up"
        assert one["completion_tokens"] < answer.usage.completion_tokens


def generated_when_idle(factory: Running) -> int:
    """Tokens the engine has generated, once it is at work for nobody."""
    until(lambda: not factory.engine_counters()["processing"])
    return factory.engine_counters()["completion"]


def settled(
    factory: Running,
    tenant: str,
    count: int,
    folder: Path,
    outcomes: Container[str] = ("complete", "hung-up"),
) -> dict[str, dict[str, Any]]:
    """The tenant's records of `outcomes`, once there are `count`: booking takes a second."""

    def found() -> dict[str, dict[str, Any]]:
        records = requests_of(factory, tenant, folder)
        return {ref: one for ref, one in records.items() if one["outcome"] in outcomes}

    until(lambda: len(found()) >= count)
    assert len(found()) == count
    return found()


# -- streams


def test_the_streaming_helpers_say_what_the_whole_answer_says(factory: Running) -> None:
    asked = SHORT | {"max_tokens": 200, "stop": ["."]}  # a helper raises where a length ends it
    with factory.client("demo") as client:
        whole = client.chat.completions.create(**asked)
        with client.chat.completions.stream(
            **asked, stream_options={"include_usage": True}
        ) as stream:
            events = list(stream)
            done = stream.get_final_completion()
    kinds = [event.type for event in events]
    assert kinds.count("content.done") == 1
    deltas = [event.delta for event in events if event.type == "content.delta"]
    text = whole.choices[0].message.content
    assert "".join(deltas) == done.choices[0].message.content == text
    assert done.choices[0].finish_reason == whole.choices[0].finish_reason
    assert done.usage is not None
    assert whole.usage is not None
    assert done.usage.total_tokens == whole.usage.total_tokens


class Port(BaseModel):
    """What a structured answer is."""

    name: str
    berths: int


def test_a_parsed_answer_is_the_same_streamed_and_not(factory: Running) -> None:
    asked = SHORT | {"max_tokens": 200, "response_format": Port}
    with factory.client("demo") as client:
        whole = client.chat.completions.parse(**asked).choices[0].message.parsed
        with client.chat.completions.stream(**asked) as stream:
            streamed = stream.get_final_completion().choices[0].message.parsed
    assert isinstance(whole, Port)
    assert streamed == whole


def test_a_stream_left_midway_stops_the_engine_and_says_so_on_the_books(
    factory: Running, tmp_path: Path
) -> None:
    factory.run("tenant", "add", "leaver")
    factory.key("leaver")
    asked = SHORT | {"messages": LONG, "max_tokens": 2000, "stream": True}
    with factory.client("leaver") as client:
        stream = client.chat.completions.create(**asked)
        next(iter(stream))
        stream.close()

    async def leave() -> None:
        async with (
            async_client(factory, "leaver") as client,
            await client.chat.completions.create(**asked) as left,
        ):
            async for _ in left:
                break

    asyncio.run(leave())
    for record in settled(factory, "leaver", 2, tmp_path).values():
        assert record["outcome"] == "hung-up"
        assert record["completion_tokens"] < 2000


# -- async


def async_client(factory: Running, tenant: str, **options: Any) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=f"{factory.url}/v1", api_key=factory.keys[tenant], max_retries=0, **options
    )


def test_the_async_client_gets_the_same_answers(factory: Running) -> None:
    async def ask() -> tuple[str | None, str, list[str], list[float]]:
        async with async_client(factory, "demo") as client:
            whole = await client.chat.completions.create(**SHORT)
            stream = await client.chat.completions.create(**SHORT, stream=True)
            parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
            names = [model.id async for model in client.models.list()]
            vector = await client.embeddings.create(model=MODEL, input="a harbour")
            return whole.choices[0].message.content, "".join(parts), names, vector.data[0].embedding

    whole, streamed, names, vector = asyncio.run(ask())
    with factory.client("demo") as client:
        text = client.chat.completions.create(**SHORT).choices[0].message.content
        plain = client.embeddings.create(model=MODEL, input="a harbour", encoding_format="float")
        assert names == [model.id for model in client.models.list()]
    assert whole == streamed == text
    assert vector == pytest.approx(plain.data[0].embedding, abs=1e-4)  # it asked for base64


# -- raw answers, errors, odds and ends


def test_raw_answers_show_receipt_entry_and_request_id(factory: Running) -> None:
    with factory.client("demo") as client:
        raw = client.chat.completions.with_raw_response.create(**SHORT)
        answer = raw.parse()
        assert raw.headers["inland-receipt"] == raw.headers["x-request-id"] == ref_of(answer)
        assert answer._request_id == raw.request_id == ref_of(answer)
        assert len(bytes.fromhex(raw.headers["inland-entry"])) == 32
        with client.chat.completions.with_streaming_response.create(**SHORT, stream=True) as got:
            lines = [line for line in got.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert lines[-2].startswith(": inland-entry ")
    assert got.headers["inland-receipt"] in lines[0]


def test_each_status_is_the_error_class_the_client_has_for_it(factory: Running) -> None:
    with factory.client("demo") as client:
        create = client.chat.completions.create
        with pytest.raises(openai.BadRequestError) as wrong:
            create(**SHORT | {"temperature": 3})
        assert wrong.value.param == "temperature"
        with pytest.raises(openai.BadRequestError) as missing:
            client.post("/chat/completions", cast_to=object, body={"model": MODEL})
        assert (missing.value.param, missing.value.code) == ("messages", "missing_field")
        with pytest.raises(openai.NotFoundError) as unknown:
            create(**SHORT | {"model": "no-such"})
        assert (unknown.value.param, unknown.value.code) == ("model", "model_not_found")
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("no-such")
        with pytest.raises(openai.NotFoundError) as path:
            client.responses.create(model=MODEL, input="Hi")
        assert path.value.code == "unknown_url"
        with pytest.raises(openai.AuthenticationError) as stranger:
            client.with_options(api_key="inl_x_y").models.list()
        assert stranger.value.code == "invalid_api_key"
        with pytest.raises(openai.PermissionDeniedError) as operator:
            client.with_options(api_key=factory.operator_key).models.list()
        assert operator.value.code == "key_of_no_tenant"
        with pytest.raises(openai.APIStatusError) as large:
            create(**SHORT | {"user": "x" * (5 << 20)})
        assert large.value.status_code == 413


def test_models_are_listed_and_retrieved_in_the_clients_types(factory: Running) -> None:
    with factory.client("demo") as client:
        page = client.models.list()
        assert not page.has_next_page()
        (listed,) = [model for model in page if model.id == MODEL]
        assert client.models.retrieve(MODEL) == listed
        assert listed.object == "model"


def test_choices_logprobs_stop_and_seed_are_what_the_client_expects(factory: Running) -> None:
    with factory.client("demo") as client:
        create = client.chat.completions.create
        several = create(**SHORT, n=3, logprobs=True, top_logprobs=1)
        texts = [choice.message.content for choice in several.choices]
        assert len(texts) == 3
        for choice in several.choices:
            assert choice.logprobs is not None
            tokens = choice.logprobs.content or []
            assert "".join(one.token for one in tokens) == choice.message.content
        text = texts[0] or ""
        assert create(**SHORT, seed=7).choices[0].message.content == text
        word = text.split()[-2]
        stopped = create(**SHORT, stop=[word]).choices[0]
        assert stopped.finish_reason == "stop"
        assert text.startswith(stopped.message.content or "")
        assert word not in (stopped.message.content or "")


def test_extra_fields_are_named_and_extra_headers_and_queries_change_nothing(
    factory: Running,
) -> None:
    asked = SHORT | {"extra_headers": {"x-team": "port"}, "extra_query": {"api-version": "1"}}
    identities = {"organization": "org-1", "project": "proj-1"}
    headers = {"default_headers": {"OpenAI-Beta": "assistants=v2"}, "default_query": {"a": "b"}}
    with factory.client("demo") as plain, factory.client("demo", **identities, **headers) as client:
        text = plain.chat.completions.create(**SHORT).choices[0].message.content
        assert client.chat.completions.create(**asked).choices[0].message.content == text
        for name in ("service_tier", "reasoning_effort", "top_k", "logit_bias"):
            with pytest.raises(openai.BadRequestError) as refused:
                client.chat.completions.create(**SHORT, extra_body={name: "low"})
            assert refused.value.param == name


def test_thirty_two_threads_share_eight_connections(factory: Running) -> None:
    ends = set()

    def note(response: Any) -> None:
        ends.add(response.extensions["network_stream"].get_extra_info("client_addr"))

    def ask(number: int) -> None:
        most = number % 6 + 1
        for _ in range(2):
            done = client.completions.create(model=MODEL, prompt="The pump is", max_tokens=most)
            assert done.usage is not None
            assert done.usage.completion_tokens == most
            assert MODEL in [model.id for model in client.models.list()]

    bounded = httpx2.Limits(max_connections=8, max_keepalive_connections=8)
    with (
        factory.client("demo", http_client=hooked(note, limits=bounded)) as client,
        ThreadPoolExecutor(32) as pool,
    ):
        list(pool.map(ask, range(32)))
    assert 1 <= len(ends) <= 8
