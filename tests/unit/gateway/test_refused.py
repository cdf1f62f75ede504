"""Who and what is refused, with which status, and what the books keep of it."""

import asyncio
import json
from dataclasses import replace

import pytest

from inland.domain.limits import Limits
from inland.domain.plant import Role
from tests.unit.gateway.world import ASK, KEYS, Reply, World, caller, chat_of, snapshot, world

BODY = json.dumps({"model": "smol", "messages": ASK}).encode()


async def ask(w: World, body: bytes = BODY, key: str = "demo") -> Reply:
    async with caller(w) as c:
        c.ask(body, key)
        return await c.reply()


def error(reply: Reply) -> dict:
    found: dict = json.loads(reply.body)["error"]
    return found


def test_unknown_id_wrong_secret_and_no_key_are_answered_alike() -> None:
    async def main() -> None:
        async with world() as w:
            right = KEYS["demo"].text
            wrong = right[:-1] + ("a" if right[-1] != "a" else "b")
            other = "inl_" + "b" * 16 + right[20:]
            answers = [await ask(w, key=key) for key in (wrong, other, "nonsense")]
            assert {a.status for a in answers} == {401}
            assert len({a.body for a in answers}) == 1
            assert not w.journal.frames
            assert not w.engine.calls

    asyncio.run(main())


def test_revoked_expired_suspended_and_operator_keys() -> None:
    async def main() -> None:
        async with world() as w:
            base = snapshot(2)
            key = base.keys[KEYS["demo"].id]

            def with_key(version: int, **changes: object):
                changed = replace(key, **changes)
                return replace(base, version=version, keys={**base.keys, key.id: changed})

            w.apply(with_key(2, revoked=True))
            assert (await ask(w)).status == 401
            w.apply(with_key(3, expires_unix_s=1))
            assert (await ask(w)).status == 401
            w.apply(with_key(4, expires_unix_s=1 << 40))
            assert (await ask(w)).status == 200
            demo = replace(base.tenants["demo"], suspended=True)
            w.apply(replace(base, version=5, tenants={**base.tenants, "demo": demo}))
            assert (await ask(w)).status == 403
            assert (await ask(w, key="acme")).status == 200
            assert (await ask(w, key="operator")).status == 403
            w.apply(with_key(6, role=Role.AUDITOR, tenant=None))
            assert (await ask(w)).status == 403

    asyncio.run(main())


def test_a_known_tenants_refused_key_is_on_the_books() -> None:
    async def main() -> None:
        async with world() as w:
            base = snapshot(2)
            key = replace(base.keys[KEYS["demo"].id], revoked=True)
            w.apply(replace(base, keys={**base.keys, key.id: key}))
            assert (await ask(w)).status == 401
            w.gateway._flush_refusals()
            (record,) = w.journal.records("refusal")
            assert (record["code"], record["tenant"]) == ("revoked_api_key", "demo")

    asyncio.run(main())


def test_a_failure_of_ours_is_a_500_and_holds_nothing() -> None:
    async def main() -> None:
        async with world() as w:
            w.engine.call = lambda *_: 1 / 0  # type: ignore[assignment,method-assign]
            assert (await ask(w)).status == 500
            assert w.gateway._desk.lanes["smol"].running == 0
            assert not w.gateway._desk.active
            assert w.journal.records()[0]["billed"] is False

    asyncio.run(main())


def test_invisible_model_is_answered_like_an_unknown_one() -> None:
    async def main() -> None:
        async with world() as w:
            w.decider.hidden.add((KEYS["demo"].id, "smol"))
            hidden = await ask(w)
            unknown = await ask(w, BODY.replace(b"smol", b"smal"))
            assert hidden.status == unknown.status == 404
            assert hidden.body == unknown.body.replace(b"smal", b"smol")

    asyncio.run(main())


def test_denial_names_the_rule_and_the_way_out_and_is_a_folded_record() -> None:
    async def main() -> None:
        async with world() as w:
            book = w.fold_refusals()
            w.decider.denied.add((KEYS["demo"].id, "smol"))
            w.apply(snapshot(2))
            denied = [await ask(w) for _ in range(3)][-1]
            assert denied.status == 403
            assert "inside-border" in error(denied)["message"]
            assert "move the place" in error(denied)["message"]
            book()
            (record,) = w.journal.records("refusal")
            assert (record["count"], record["rules"], record["status"]) == (
                3,
                ["inside-border"],
                403,
            )
            assert not w.engine.calls

    asyncio.run(main())


TOOL = {"type": "function", "function": {"name": "look_up"}}
CASES = [
    ({"id_slot": 3}, "id_slot"),
    ({"cache_prompt": True}, "cache_prompt"),
    ({"lora": []}, "lora"),
    ({"grammar": "root ::= x"}, "grammar"),
    ({"tools": []}, "tools"),
    ({"response_format": {"type": "xml"}}, "response_format"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
    ({"tools": [TOOL, TOOL]}, "tools"),
    ({"tools": [{**TOOL, "type": "retrieval"}]}, "tools[0].type"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tool_choice": {"type": "function", "function": {"name": "c"}}}, "tool_choice"),
    ({"tool_choice": "some", "tools": [TOOL]}, "tool_choice"),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "c"}}},
        "tool_choice",
    ),
    ({"parallel_tool_calls": True}, "parallel_tool_calls"),
    ({"messages": [{"role": "assistant", "content": None}]}, "messages[0].content"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ({"store": True}, "store"),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": 2.5}, "temperature"),
    ({"n": 5}, "n"),
    ({"n": 0}, "n"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"stream": True, "stream_options": {"chunk": 1}}, "stream_options.chunk"),
    ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 8193}, "max_tokens"),
    ({"max_completion_tokens": 8193}, "max_completion_tokens"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
    ({"stop": ""}, "stop"),
    ({"seed": 1 << 64}, "seed"),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    (
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
            ]
        },
        "messages[0].content",
    ),
]


@pytest.mark.parametrize(("fields", "param"), CASES, ids=[str(case[0])[:40] for case in CASES])
def test_what_is_unknown_or_wrong_is_refused_by_its_name(fields: dict, param: str) -> None:
    async def main() -> None:
        async with world() as w:
            body = json.dumps({"model": "smol", "messages": ASK, **fields}).encode()
            refused = await ask(w, body)
            assert refused.status == 400, refused.body
            assert error(refused)["param"].startswith(param)
            assert not w.engine.calls

    asyncio.run(main())


def test_harmless_fields_are_accepted_and_reach_no_engine() -> None:
    async def main() -> None:
        async with world() as w:
            fields = {"user": "u", "metadata": {"a": "b"}, "store": False, "stop": None}
            body = json.dumps({"model": "smol", "messages": ASK, **fields}).encode()
            assert (await ask(w, body)).status == 200

    asyncio.run(main())


def test_text_parts_become_one_text() -> None:
    async def main() -> None:
        async with world() as w:
            parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
            body = {"model": "smol", "messages": [{"role": "user", "content": parts}]}
            assert (await ask(w, json.dumps(body).encode())).status == 200
            assert chat_of(w).messages[0].content == "a\nb"

    asyncio.run(main())


def test_nothing_is_dispatched_without_lease_or_room_in_the_journal() -> None:
    async def main() -> None:
        async with world() as w:
            w.lease[0] = False
            refused = await ask(w)
            assert (refused.status, error(refused)["code"]) == (503, "no_lease")
            assert "retry-after" in refused.headers
            w.lease[0], w.journal.room = True, False
            refused = await ask(w)
            assert (refused.status, error(refused)["code"]) == (503, "journal_full")
            assert not w.engine.calls

    asyncio.run(main())


def test_distinct_refusals_are_bounded_per_tenant() -> None:
    async def main() -> None:
        async with world() as w:
            book = w.fold_refusals()
            async with caller(w) as c:
                for i in range(100):
                    c.ask(BODY.replace(b"smol", b"m%d" % i))
                    assert (await c.reply()).status == 404
            book()
            records = w.journal.records("refusal")
            assert len(records) <= 65
            assert sum(record["count"] for record in records) == 100

    asyncio.run(main())


def test_an_engine_hears_how_long_an_answer_may_be_at_most() -> None:
    async def main() -> None:
        async with world() as w:
            await ask(w)
            assert w.engine.calls[0].work.answer_tokens == Limits().answer_tokens

    asyncio.run(main())
