"""What holds of llama.cpp alone."""

import asyncio
import json

import pytest

from inland.adapters.llama_cpp.client import encode
from inland.ports.engine import Chat, Completion, Message, Target, Task, Work
from tests.contract.engine.conftest import open_llama
from tests.contract.engine.test_engine import begin

ASK = [Message("user", "Name three harbours.")]


def body_of(work: Work, target: Target = Target("r0", "/e.sock", "smol")) -> dict:  # noqa: B008
    body: dict = json.loads(encode(work, target).partition(b"\r\n\r\n")[2])
    return body


def test_the_prompt_cache_is_off_unless_asked_for_and_always_streamed() -> None:
    body = body_of(Work(Chat(ASK)))
    assert body["cache_prompt"] is False
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    assert set(body) == {
        "model",
        "messages",
        "stream",
        "stream_options",
        "cache_prompt",
        "timings_per_token",
    }


def test_an_answer_is_bounded_where_nobody_said_how_long_it_may_be() -> None:
    assert body_of(Work(Chat(ASK), answer_tokens=9))["max_tokens"] == 9
    assert body_of(Work(Chat(ASK), max_tokens=7, answer_tokens=9))["max_tokens"] == 7


def test_no_seed_means_any_to_llama_cpp_unless_none_was_given() -> None:
    assert "seed" not in body_of(Work(Chat(ASK)))
    assert body_of(Work(Chat(ASK), seed=-1))["seed"] == 0xFFFFFFFE
    assert body_of(Work(Chat(ASK), seed=7))["seed"] == 7


def test_nothing_of_a_prompt_is_taken_from_a_cache(llama: str) -> None:
    async def main() -> None:
        async with open_llama(llama)() as bench:
            for _ in range(3):
                listener, _ = begin(bench, Work(Chat(ASK), max_tokens=2, temperature=0.0))
                assert (await listener.end()).counts.cached == 0

    asyncio.run(main())


def test_log_probabilities_come_for_each_token(llama: str) -> None:
    async def main() -> None:
        async with open_llama(llama)() as bench:
            work = Work(Chat(ASK), max_tokens=4, temperature=0.0, logprobs=True, top_logprobs=2)
            listener, _ = begin(bench, work)
            await listener.end()
            spoken = [one for piece in listener.heard for one in piece.logprobs or []]
            assert len(spoken) == 4
            assert all(len(one.top_logprobs) == 2 for one in spoken)

    asyncio.run(main())


@pytest.mark.parametrize("task", [Chat(ASK), Completion(["Three harbours are"])])
@pytest.mark.parametrize("top", [None, 0])
def test_log_probabilities_come_where_no_alternative_is_asked_for(
    llama: str, task: Task, top: int | None
) -> None:
    async def main() -> None:
        async with open_llama(llama)() as bench:
            work = Work(task, max_tokens=3, temperature=0.0, logprobs=True, top_logprobs=top)
            listener, _ = begin(bench, work)
            await listener.end()
            spoken = [one for piece in listener.heard for one in piece.logprobs or []]
            assert len(spoken) == 3
            assert all(one.logprob < 0 for one in spoken)

    asyncio.run(main())
