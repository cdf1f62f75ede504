"""A real engine driven against the clock: what is seen of it is what it made."""

import asyncio

from inland.adapters.files.clock import SystemClock
from inland.adapters.llama_cpp.client import LlamaCpp
from inland.adapters.llama_cpp.probe import counters
from inland.domain.plant import EngineKind
from inland.plant.driving import Drivable, EngineDriver
from inland.ports.engine import Completion, Target, Work
from tests.contract.engine.conftest import open_llama
from tests.contract.engine.test_engine import settled

KIND = EngineKind.LLAMA_CPP


def _driver() -> EngineDriver:
    drivable = Drivable(LlamaCpp, lambda address: counters(address)["completion"])
    return EngineDriver({KIND: drivable}, SystemClock())


def _work(text: str, tokens: int) -> Work:
    return Work(Completion([text]), stream=True, max_tokens=tokens, temperature=0.0)


async def _settled(llama: str) -> int:
    """What the engine has made by its own account, once it is at work for nobody."""
    async with open_llama(llama)() as bench:
        return await settled(bench)


def test_all_are_driven_at_once_and_counted_by_the_engine(llama: str) -> None:
    driver = _driver()
    before = asyncio.run(_settled(llama))
    works = [_work("the of and a to in is you that it", 12), _work("he was for on are", 12)]
    streams = driver.drive(KIND, Target("r0", llama, "smol"), works, 60)
    after = asyncio.run(_settled(llama))
    assert [one.prompt_tokens for one in streams] == [10, 5]
    for one in streams:
        times, counts = zip(*one.tokens_at, strict=True)
        assert 0 < times[0] <= times[-1] < 60
        assert list(times) == sorted(times)
        assert list(counts) == sorted(counts)
        assert counts[-1] <= one.completion_tokens <= 12
    assert driver.made(KIND, llama) == after
    assert after == before + sum(one.completion_tokens for one in streams)


def test_what_is_not_done_in_time_is_stopped(llama: str) -> None:
    (stream,) = _driver().drive(KIND, Target("r0", llama, "smol"), [_work("Once", 480)], 0.3)
    assert stream.completion_tokens < 480


def test_an_engine_that_is_not_there_is_seen_to_make_nothing(tmp_path) -> None:
    driver = _driver()
    gone = str(tmp_path / "gone.sock")
    assert driver.made(KIND, gone) is None
    (stream,) = driver.drive(KIND, Target("r0", gone, "smol"), [_work("Once", 8)], 5)
    assert (stream.tokens_at, stream.prompt_tokens, stream.completion_tokens) == ((), 0, 0)
    assert not driver.drives(EngineKind.OPENAI)
