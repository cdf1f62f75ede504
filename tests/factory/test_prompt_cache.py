"""The prompt cache, in a real factory: a tenant finds its own prompts, and nobody another one's."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.factory.running import MODEL, Running, running
from tests.patience import PATIENCE_S, until

GATEWAYS = 2
#: What any two prompts share: the words of the model's chat template.
TEMPLATE_TOKENS = 40
WORDS = "harbour river mountain lighthouse winter ladder copper garden letter silence".split()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    """Two gateways on one engine; the tests kill one of each."""
    assert model_file.exists()
    home = tmp_path_factory.mktemp("cache") / "home"
    with running(home, "--gateways", str(GATEWAYS)) as up:
        yield up


def one_connection() -> httpx.Client:
    """All requests over one connection meet one gateway."""
    return httpx.Client(limits=httpx.Limits(max_connections=1))


def prompt(seed: int) -> str:
    """A prompt of some 90 tokens that no other seed has."""
    return " ".join(random.Random(seed).choices(WORDS, k=70))


def cached(client: Any, text: str, **options: Any) -> int:
    """The cached tokens of one answer, by its usage."""
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": text}], max_tokens=2, **options
    )
    return int(answer.usage.prompt_tokens_details.cached_tokens)


def cached_streamed(client: Any, text: str) -> int:
    stream = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": text}],
        max_tokens=2,
        stream=True,
        stream_options={"include_usage": True},
    )
    *_, last = stream
    return int(last.usage.prompt_tokens_details.cached_tokens)


def hang_up(client: Any, text: str) -> None:
    """Leave in the middle of an answer."""
    stream = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": text}], max_tokens=200, stream=True
    )
    next(iter(stream))
    stream.close()
    time.sleep(1)


def nothing_passes(factory: Running, seed: int) -> None:
    """What demo sends, in each way there is, acme sends once, and finds nothing of it."""
    demo, acme = factory.client("demo"), factory.client("acme")
    ways: list[Callable[[Any, str], object]] = [
        cached,
        cached_streamed,
        hang_up,
        lambda client, text: cached(client, text, n=3),
    ]
    for number, way in enumerate(ways):
        way(demo, prompt(seed + number))
    for number in range(len(ways)):
        with pytest.raises(openai.BadRequestError, match="context"):
            cached(acme, "too long " * 4000)
        assert cached(acme, prompt(seed + number)) <= TEMPLATE_TOKENS


def found_in_time(
    client: Any,
    seed: int,
    way: Callable[[Any, str], int] = cached,
) -> int:
    """What a tenant finds of its own prompt once a new life has waited; 0 if nothing.

    A slot that was dealt to another gateway meanwhile is a new life too.
    """
    end = time.monotonic() + PATIENCE_S
    while (found := way(client, prompt(seed))) <= TEMPLATE_TOKENS:
        if time.monotonic() > end:
            return 0
        time.sleep(1)
    return found


def answers(factory: Running) -> bool:
    try:
        cached(factory.client("demo"), "Hello.")
    except openai.OpenAIError:
        return False
    return True


def kill(factory: Running, role: str) -> None:
    """`kill -9` every process of `role`, and wait until all of them work again: a gateway that has
    just begun answers 503."""
    before = {process["pid"] for process in factory.processes(role)}
    for pid in before:
        os.kill(pid, signal.SIGKILL)

    def work_again() -> bool:
        now = {one["pid"] for one in factory.processes(role) if one["state"] == "running"}
        return len(now) == len(before) and not now & before

    until(work_again)
    until(lambda: all(answers(factory) for _ in range(2 * GATEWAYS)))


def test_a_tenant_finds_its_own_prompts_again(own: Running) -> None:
    """A gateway does not know what lies in a slot it was just dealt; a moment later it does."""
    with one_connection() as http:
        demo = own.client("demo", http_client=http)
        assert cached(demo, prompt(1)) <= TEMPLATE_TOKENS
        assert found_in_time(demo, 1)
        assert found_in_time(demo, 1, lambda client, text: cached(client, text, n=3))
        # last: the official client leaves the connection of a stream, and may meet another gateway
        assert found_in_time(demo, 1, cached_streamed)


def test_nothing_of_a_prompt_passes_to_another_tenant(own: Running) -> None:
    nothing_passes(own, 100)


@pytest.mark.parametrize(("role", "seed"), [("gateway", 200), ("engine", 300)])
def test_nothing_passes_after_a_kill_and_what_is_ones_own_is_found(
    own: Running, role: str, seed: int
) -> None:
    demo = own.client("demo")
    cached(demo, prompt(seed + 50))
    kill(own, role)
    assert cached(own.client("acme"), prompt(seed + 50)) <= TEMPLATE_TOKENS
    nothing_passes(own, seed)
    assert found_in_time(demo, seed + 60)


def test_a_record_says_what_was_cached(own: Running, tmp_path: Path) -> None:
    with one_connection() as http:
        last = found_in_time(own.client("demo", http_client=http), 400)
    assert last > TEMPLATE_TOKENS
    until(lambda: any(r.get("cached_tokens") == last for r in own.records("demo", tmp_path)))
