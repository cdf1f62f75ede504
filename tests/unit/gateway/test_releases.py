"""A tenant's releases at a gateway: names, rollouts, records, and what an engine is told."""

import json
from dataclasses import replace

from inland.decide.slots import Share
from inland.domain.labels import Label
from inland.domain.plant import Model
from inland.domain.releases import Serving, candidate_name
from inland.domain.snapshot import Snapshot
from tests.unit.gateway.test_guarding import in_loop
from tests.unit.gateway.world import KEYS, World, caller, snapshot, world
from tests.unit.gateway.world import request as ask

BODY = {"model": "notes", "messages": [{"role": "user", "content": "Hello?"}]}


def body(**more: object) -> bytes:
    return json.dumps(BODY | more).encode()


def adapter(owner: str, number: int) -> Model:
    label = Label(owner, ("DE",))
    return Model(f"a{number}", label, (), f"hmac-sha256:{number}", is_adapter=True)


def released(*serving: Serving, version: int = 2, have: tuple[str, ...] = ()) -> Snapshot:
    """As the world's, with releases over its one replica, which has the adapters of all."""
    made = snapshot(version)
    adapters = have or tuple(sorted({one.adapter for one in serving}))
    replica = replace(made.replicas["r0"], adapters=adapters)
    models = {one.adapter: adapter(one.tenant, int(one.adapter[1:])) for one in serving}
    return replace(
        made,
        models=made.models | models,
        replicas={"r0": replica},
        serving={one.release: one for one in serving},
    )


def serving(tenant: str, number: int, percent: int = 100, name: str = "notes") -> Serving:
    return Serving(f"r{number}", tenant, name, "smol", f"a{number}", percent)


async def asked(to: World, key: str, text: bytes) -> int:
    async with caller(to) as one:
        one.ask(text, key)
        return (await one.reply()).status


@in_loop
async def test_a_name_is_another_adapter_for_another_tenant() -> None:
    async with world() as to:
        to.apply(released(serving("demo", 2), serving("acme", 1)))
        assert await asked(to, "demo", body()) == 200
        assert await asked(to, "acme", body()) == 200
        assert await asked(to, "demo", body(model="smol")) == 200
        assert [call.target.adapter for call in to.engine.calls] == [1, 0, None]
        assert [call.target.model for call in to.engine.calls] == ["smol"] * 3
        records = to.journal.records()
        assert [one["adapter_digest"] for one in records] == [
            "hmac-sha256:2",
            "hmac-sha256:1",
            None,
        ]
        assert records[0]["release"] == {"id": "r2", "name": "notes"}
        assert "release" not in records[2]


@in_loop
async def test_anothers_release_is_no_model() -> None:
    async with world() as to:
        to.apply(released(serving("acme", 1)))
        assert await asked(to, "demo", body()) == 404
        async with caller(to) as one:
            told = []
            for path in (b"/v1/models", b"/v1/models/notes"):
                one.send(request(path))
                told.append(await one.reply())
        assert [model["id"] for model in json.loads(told[0].body)["data"]] == ["smol"]
        assert told[1].status == 404


@in_loop
async def test_a_candidate_is_its_runs_alone() -> None:
    """Whoever else asks, with a key of the same tenant: there is no such model."""
    name = candidate_name("line", "run")
    async with world() as to:
        others = replace(serving("demo", 1, 0, name), key="another")
        to.apply(released(others))
        assert await asked(to, "demo", body(model=name)) == 404
        async with caller(to) as one:
            one.send(request(b"/v1/models"))
            listed = json.loads((await one.reply()).body)["data"]
        assert [model["id"] for model in listed] == ["smol"]
        own = replace(others, key=KEYS["demo"].id)
        to.apply(replace(released(own), version=3))
        assert await asked(to, "demo", body(model=name)) == 200
        assert [call.target.adapter for call in to.engine.calls] == [0]


def request(path: bytes) -> bytes:
    key = KEYS["demo"].text.encode()
    return b"GET %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n" % (path, key)


@in_loop
async def test_a_user_keeps_to_one_release_while_another_is_rolled_out() -> None:
    async with world() as to:
        to.apply(released(serving("demo", 1), serving("demo", 2, percent=50)))
        users = [str(number) for number in range(20)] * 2
        for user in users:
            assert await asked(to, "demo", body(user=user)) == 200
        chosen = [call.target.adapter for call in to.engine.calls]
        assert chosen[:20] == chosen[20:]
        assert set(chosen) == {0, 1}


@in_loop
async def test_a_running_answer_ends_by_the_release_it_began_with() -> None:
    one_two = released(serving("demo", 1), serving("demo", 2), version=3)
    async with world() as to:
        to.engine.answer = None
        to.apply(replace(one_two, version=2, serving={"r1": serving("demo", 1)}))
        async with caller(to) as one:
            one.ask(body())
            (call,) = await to.calls(1)
            to.apply(replace(one_two, serving={"r2": serving("demo", 2)}))
            call.say("Well")
            call.finish()
            assert (await one.reply()).status == 200
        assert to.journal.records()[-1]["release"]["id"] == "r1"


@in_loop
async def test_an_answer_by_an_adapter_that_went_is_ended() -> None:
    async with world() as to:
        to.engine.answer = None
        to.apply(released(serving("demo", 1)))
        async with caller(to) as one:
            one.ask(body())
            (call,) = await to.calls(1)
            to.apply(snapshot(3))
            assert (await one.reply()).status == 403
            assert call.cancelled


@in_loop
async def test_an_engine_without_its_adapter_is_not_asked() -> None:
    async with world() as to:
        to.apply(released(serving("demo", 1), have=("a9",)))
        assert await asked(to, "demo", body()) == 503
        assert not to.engine.calls


@in_loop
async def test_a_slot_is_not_reused_under_another_adapter() -> None:
    async with world(share=Share(first=True)) as to:
        made = released(serving("demo", 1), serving("demo", 2, name="other"))
        to.apply(replace(made, deployments={"smol": replace(made.deployments["smol"], slots=1)}))
        for name in ("notes", "notes", "other", "smol", "smol", "notes"):
            assert await asked(to, "demo", body(model=name)) == 200
        reused = [call.target.reuse for call in to.engine.calls]
        assert reused == [False, True, False, False, True, False]


@in_loop
async def test_a_release_makes_no_vectors() -> None:
    async with world() as to:
        to.apply(released(serving("demo", 1)))
        async with caller(to) as one:
            text = b'{"model":"notes","input":"x"}'
            one.send(ask(text).replace(b"/v1/chat/completions", b"/v1/embeddings"))
            assert (await one.reply()).status == 400
