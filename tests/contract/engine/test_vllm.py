"""What is vLLM's own: salts, running counts of each choice, and ends that are no ends."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from inland.adapters.vllm.client import encode
from inland.adapters.vllm.probe import VllmProber, counters
from inland.domain.plant import Feature
from inland.ports.engine import Chat, Completion, Counts, End, Ending, Message, Target, Work
from tests.contract.engine.conftest import open_vllm
from tests.contract.engine.test_engine import LONG, begin
from tests.contract.engine.vllm_stand_in import StandIn

TARGET = Target("r0", "/nowhere.sock", "m", salt="a" * 64)


async def asked_of(path: Path, served: StandIn, work: Work, salt: str = "a" * 64) -> End:
    async with open_vllm(path, served)() as bench:
        bench.target = msgspec.structs.replace(bench.target, salt=salt)
        listener, _ = begin(bench, work)
        return await listener.end()


def test_every_prompt_carries_its_tenants_salt_and_none_goes_without() -> None:
    sent = encode(Work(Chat(LONG), max_tokens=3), TARGET)
    body = msgspec.json.decode(sent.partition(b"\r\n\r\n")[2])
    assert body["cache_salt"] == TARGET.salt
    assert body["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}
    with pytest.raises(AssertionError):
        encode(Work(Chat(LONG), max_tokens=3), msgspec.structs.replace(TARGET, salt=None))


def test_what_one_tenant_sent_is_cached_for_it_and_for_nobody_else(tmp_path: Path) -> None:
    async def main() -> None:
        served, work = StandIn(), Work(Chat(LONG), max_tokens=2)
        first = await asked_of(tmp_path / "v", served, work, "a" * 64)
        other = await asked_of(tmp_path / "v", served, work, "b" * 64)
        again = await asked_of(tmp_path / "v", served, work, "a" * 64)
        assert first.counts.cached == other.counts.cached == 0
        assert again.counts.cached == again.counts.prompt > 0

    asyncio.run(main())


def test_who_hangs_up_is_told_what_each_choice_of_each_prompt_had_come_to(tmp_path: Path) -> None:
    async def main() -> None:
        served = StandIn(pace_s=0.02)
        work = Work(Completion(["one two three", "four"]), n=2, stream=True, max_tokens=400)
        async with open_vllm(tmp_path / "v", served)() as bench:
            listener, call = begin(bench, work)
            await listener.some(12)
            call.cancel()
            end = await listener.end()
            assert end.how is Ending.STOPPED
            last = {piece.index: piece.tokens or 0 for piece in listener.heard}
            assert end.counts == Counts(prompt=4, completion=sum(last.values()))
            assert last.keys() == {0, 1, 2, 3}

    asyncio.run(main())


def test_an_answer_that_was_given_up_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    """What a vLLM that is stopped makes of what it runs: a finish like any other, but in name."""

    async def main() -> None:
        served = StandIn(pace_s=0.02)
        async with open_vllm(tmp_path / "v", served)() as bench:
            listener, _ = begin(bench, Work(Chat(LONG), stream=True, max_tokens=400))
            await listener.some(2)
            served.stopping.set()
            end = await listener.end()
            assert end.how is Ending.GONE
            assert not any(piece.finish for piece in listener.heard)

    asyncio.run(main())


def test_an_engine_whose_core_died_is_a_lost_one(tmp_path: Path) -> None:
    async def main() -> None:
        end = await asked_of(tmp_path / "v", StandIn(fails=1), Work(Chat(LONG), max_tokens=2))
        assert (end.how, end.connected) == (Ending.GONE, True)

    asyncio.run(main())


def test_more_tokens_than_its_context_holds_are_the_callers_to_mend(tmp_path: Path) -> None:
    async def main() -> None:
        work = Work(Chat([Message("user", "hello")]), max_tokens=100_000)
        end = await asked_of(tmp_path / "v", StandIn(), work)
        assert (end.how, end.status) == (Ending.REFUSED, 400)

    asyncio.run(main())


def test_it_is_proved_by_a_token_and_counted_by_its_own_counters(tmp_path: Path) -> None:
    async def main() -> None:
        path, served = tmp_path / "v", StandIn()
        async with open_vllm(path, served)():
            prober = VllmProber()
            assert await asyncio.to_thread(prober.prove, str(path), "m") == (Feature.SYSTEM,)
            told = await asyncio.to_thread(counters, str(path))
            assert told == {"prompt": served.prompt_tokens, "completion": 1}
            assert served.asked[-1]["cache_salt"], "what control asks is no tenant's either"
        assert await asyncio.to_thread(prober.prove, str(path), "m") is None

    asyncio.run(main())
