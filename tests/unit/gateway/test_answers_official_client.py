"""The official client works unmodified and assembles what the record commits to."""

import asyncio
import json

import openai
from openai import AsyncOpenAI

from inland.ledger.commitments import commit_input, commit_output, record_key
from tests.unit.gateway.world import KEYS, RECORD_KEYS, World, caller, chat_of, world


def client(to: World, tenant: str = "demo") -> AsyncOpenAI:
    return AsyncOpenAI(
        base_url=f"http://127.0.0.1:{to.port}/v1", api_key=KEYS[tenant].text, max_retries=0
    )


def commitments(record: dict, *texts: str, tenant: str = "demo") -> list[str]:
    key = record_key(RECORD_KEYS[tenant], record["id"])
    return [commit_output(key, i, text) for i, text in enumerate(texts)]


def test_whole_answer_is_on_the_books_and_names_its_record() -> None:
    async def main() -> None:
        async with world() as w, client(w) as openai_client:
            raw = await openai_client.chat.completions.with_raw_response.create(
                model="smol", messages=[{"role": "user", "content": "Hi"}], n=2
            )
            got = raw.parse()
            texts = [choice.message.content or "" for choice in got.choices]
            assert texts == ["Good morning.", "Good morning."]
            assert got.usage is not None
            assert (got.usage.prompt_tokens, got.usage.completion_tokens) == (7, 8)
            (record,) = w.journal.records()
            assert got.id == f"chatcmpl-{record['id']}"
            assert raw.headers["inland-receipt"] == record["id"]
            assert record["output"] == commitments(record, *texts)
            assert record["completion_tokens"] == 8
            assert (record["outcome"], record["billed"], record["counted"]) == (
                "complete",
                True,
                "engine",
            )

    asyncio.run(main())


def test_streaming_helper_assembles_what_the_record_commits_to() -> None:
    async def main() -> None:
        async with world() as w, client(w) as openai_client:
            async with openai_client.chat.completions.stream(
                model="smol", messages=[{"role": "user", "content": "Hi"}], n=2
            ) as stream:
                done = await stream.get_final_completion()
            (record,) = w.journal.records()
            (opening,) = w.journal.openings()
            texts = [choice.message.content or "" for choice in done.choices]
            assert record["output"] == commitments(record, *texts)
            assert record["id"] == opening["id"] == done.id.removeprefix("chatcmpl-")
            assert [choice.finish_reason for choice in done.choices] == ["stop", "stop"]

    asyncio.run(main())


def test_usage_is_streamed_only_when_asked() -> None:
    async def main() -> None:
        async with world() as w, client(w) as openai_client:
            for asked in (False, True):
                options = {"include_usage": True} if asked else openai.NOT_GIVEN
                stream = await openai_client.chat.completions.create(
                    model="smol",
                    messages=[{"role": "user", "content": "Hi"}],
                    stream=True,
                    stream_options=options,
                )
                usages = [chunk.usage async for chunk in stream if chunk.usage is not None]
                assert [u.completion_tokens for u in usages] == ([4] if asked else [])

    asyncio.run(main())


def test_an_empty_answer_is_an_empty_text() -> None:
    async def main() -> None:
        async with world() as w, client(w) as openai_client:
            w.engine.answer = ()
            async with openai_client.chat.completions.stream(
                model="smol", messages=[{"role": "user", "content": "Hi"}]
            ) as stream:
                done = await stream.get_final_completion()
            assert done.choices[0].message.content == ""
            assert w.journal.records()[0]["output"] == commitments(w.journal.records()[0], "")

    asyncio.run(main())


def test_the_input_commitment_is_over_the_body_as_received() -> None:
    async def main() -> None:
        body = b'{ "messages":[{"content":"Hi","role":"user"}] ,"model":"smol"}'
        async with world() as w, caller(w) as c:
            c.ask(body)
            assert (await c.reply()).status == 200
            (record,) = w.journal.records()
            key = record_key(RECORD_KEYS["demo"], record["id"])
            assert record["input"] == commit_input(key, body)

    asyncio.run(main())


def test_an_answers_message_can_be_sent_back_as_it_came() -> None:
    async def main() -> None:
        async with world() as w, client(w) as openai_client:
            first = await openai_client.chat.completions.create(
                model="smol", messages=[{"role": "user", "content": "Hi"}]
            )
            await openai_client.chat.completions.create(
                model="smol",
                messages=[
                    {"role": "user", "content": "Hi"},
                    first.choices[0].message,  # type: ignore[list-item]
                    {"role": "user", "content": "And?"},
                ],
            )
            assert [m.role for m in chat_of(w, 1).messages] == [
                "user",
                "assistant",
                "user",
            ]

    asyncio.run(main())


def test_models_are_listed_and_retrieved_and_hidden_ones_are_unknown() -> None:
    async def main() -> None:
        async with world() as w, client(w) as openai_client:
            w.decider.hidden.add((KEYS["acme"].id, "smol"))
            assert [m.id async for m in openai_client.models.list()] == ["smol"]
            assert (await openai_client.models.retrieve("smol")).id == "smol"
            async with client(w, "acme") as other:
                assert [m.id async for m in other.models.list()] == []

    asyncio.run(main())


def test_the_entry_header_is_the_records_hash_and_a_streams_comes_before_done() -> None:
    async def main() -> None:
        body = json.dumps({"model": "smol", "messages": [{"role": "user", "content": "x"}]})
        async with world() as w, caller(w) as c:
            c.ask(body.encode())
            whole = await c.reply()
            c.ask(body.replace("}]}", '}],"stream":true}').encode())
            streamed = (await c.reply()).body.decode()
            from inland.ledger import canonical

            first, second = (
                canonical.entry(canonical.encode(r)).hex() for r in w.journal.records()
            )
            assert whole.headers["inland-entry"] == first
            assert streamed.endswith(f": inland-entry {second}\n\ndata: [DONE]\n\n")

    asyncio.run(main())
