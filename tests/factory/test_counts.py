"""Usage equals what the engine's own counters say.

The terms of the comparison. The engine counts `tokens_predicted_total`, every token it generated,
and `prompt_tokens_total`, every prompt token it processed; a request with n choices has its prompt
processed once. Billed and wasted tokens together equal the first to the token for every request
that ran to its end. A caller that hung up makes the engine stop mid-step: each of its choices may
have one more token in the engine's count than the gateway could see, which is why `wasted` is named
an estimate. The second equals the billed prompts, hung-up ones included, less what was cached.
"""

import threading

from tests.factory.running import MODEL, Running
from tests.patience import until

HANG_UPS = 3
#: Tokens that the model makes of a long story, where it is let.
LONG = 1000


def _totals(factory: Running) -> dict[str, int]:
    rows = factory.json("usage", "--tenant", "demo") + factory.json("usage", "--tenant", "acme")
    names = ("prompt_tokens", "cached_tokens", "completion_tokens", "wasted_tokens_estimated")
    return {name: sum(row[name] for row in rows) for name in names}


def _settled(factory: Running) -> tuple[dict[str, int], dict[str, int]]:
    """What is booked and what the engine counted, once both have all that was asked for.

    The gateway's journal is booked in order: all of it is once a request made after all else is.
    """
    _idle(factory)
    last = factory.client("demo").chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hi."}], max_tokens=1
    )
    with factory.http("demo") as http:
        until(lambda: http.get(f"/factory/v1/receipts/{last.id}").is_success)
    return _totals(factory), _idle(factory)


def _ask(factory: Running, tenant: str, number: int) -> None:
    client = factory.client(tenant)
    for i in range(3):
        client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": f"Count to {number + i} in words."}],
            max_tokens=10 + 3 * i,
            n=1 + (number + i) % 3,
            seed=number * 10 + i,
        )
        for _ in client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": f"Tell me about the number {number + i}."}],
            max_tokens=20,
            n=1 + i % 2,
            stream=True,
        ):
            pass
        client.completions.create(
            model=MODEL, prompt=[f"{number} is", f"{i} is"], max_tokens=5, n=1 + i % 2
        )


def _hang_up(factory: Running, tenant: str) -> None:
    stream = factory.client(tenant).chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Write a very long story about a lighthouse."}],
        max_tokens=LONG,
        temperature=0,
        stream=True,
    )
    for count, _ in enumerate(stream):
        if count == 8:
            break
    stream.close()


def _work(factory: Running) -> None:
    threads = [
        threading.Thread(target=_ask, args=[factory, tenant, number])
        for number, tenant in enumerate(["demo", "acme"] * 3)
    ]
    threads += [threading.Thread(target=_hang_up, args=[factory, "demo"]) for _ in range(HANG_UPS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _idle(factory: Running) -> dict[str, int]:
    """The engine's counters once it is at work for nobody."""
    until(lambda: not factory.engine_counters()["processing"])
    return factory.engine_counters()


def test_usage_equals_the_engines_own_counters(factory: Running) -> None:
    usage, engine = _settled(factory)
    _work(factory)
    usage_after, engine_after = _settled(factory)
    counted = {k: engine_after[k] - engine[k] for k in engine}
    booked = {k: usage_after[k] - usage[k] for k in usage}
    assert booked["prompt_tokens"] - booked["cached_tokens"] == counted["prompt"]
    unseen = counted["completion"] - booked["completion_tokens"] - booked["wasted_tokens_estimated"]
    assert 0 <= unseen <= HANG_UPS


def test_without_hang_ups_the_count_is_exact(factory: Running) -> None:
    usage, engine = _settled(factory)
    _ask(factory, "acme", 5)
    usage_after, engine_after = _settled(factory)
    spent = usage_after["completion_tokens"] - usage["completion_tokens"]
    assert spent == engine_after["completion"] - engine["completion"]
    assert usage_after["wasted_tokens_estimated"] == usage["wasted_tokens_estimated"]


def test_a_hang_up_stops_the_engine(factory: Running) -> None:
    before = _idle(factory)["completion"]
    _hang_up(factory, "acme")
    assert _idle(factory)["completion"] - before < LONG, "it went on for nobody"
