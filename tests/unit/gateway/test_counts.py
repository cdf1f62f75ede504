"""What an engine may claim for one request: the bounds, at their edges."""

import asyncio
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.domain.errors import Damaged
from inland.domain.plant import Deployment, EngineKind
from inland.gateway.counts import SPARE_PIECES, TEMPLATE_TOKENS, TOKEN_CHARACTERS, Ceiling
from inland.ports.engine import Chat, Counts, Message, Piece, Work
from tests.unit.gateway.world import ASK, HERE, caller, request, snapshot, world

OWN = Deployment("m", EngineKind.LLAMA_CPP, "m", HERE, context=100)
WORK = Work(Chat([Message("user", "Hi")]), n=2, max_tokens=8)
COUNT = st.integers(0, 1 << 40)


def ceiling(deployment: Deployment = OWN, **changes: int | None) -> Ceiling:
    asked = Work(**{"task": WORK.task, "n": 2, "max_tokens": 8, **changes})
    return Ceiling(asked, deployment, 50)


@given(COUNT, COUNT, COUNT, st.booleans(), st.booleans())
def test_what_is_believed_is_within_what_was_asked(
    prompt: int, completion: int, cached: int, exact: bool, reuse: bool
) -> None:
    most = ceiling()
    most.reuse = reuse
    try:
        counts = most.believed(Counts(prompt, completion, cached, exact))
    except Damaged:
        assert cached > (prompt if reuse else 0) or prompt > 50 + TEMPLATE_TOKENS or completion > 16
    else:
        assert counts.completion == min(completion, 16)
        assert counts.exact is exact
        assert counts.cached <= counts.prompt <= 50 + TEMPLATE_TOKENS


def test_tokens_up_to_the_last_asked_for_pass_and_none_beyond() -> None:
    held = ceiling()
    held.take([Piece(1, "a", tokens=8)])
    with pytest.raises(Damaged):
        held.take([Piece(1, "b", tokens=9)])


def test_without_max_tokens_the_context_is_the_most_there_can_be() -> None:
    held = ceiling(max_tokens=None)
    held.take([Piece(0, "a", tokens=100)])
    with pytest.raises(Damaged):
        held.take([Piece(0, "a", tokens=101)])
    upstream = ceiling(replace(OWN, engine=EngineKind.OPENAI), max_tokens=None)
    upstream.take([Piece(0, "a", tokens=100_000)])


def test_uncounted_pieces_end_as_well() -> None:
    held = ceiling()
    held.take([Piece(0, "a")] * (10 + SPARE_PIECES))
    with pytest.raises(Damaged):
        held.take([Piece(0, "a")])
    with pytest.raises(Damaged):
        ceiling().take([Piece(0, "a" * (TOKEN_CHARACTERS * (9 + SPARE_PIECES)))])


@pytest.mark.parametrize(
    "pieces",
    [
        [Piece(2, "a")],
        [Piece(-1, "a")],
        [Piece(0, "a", "stop"), Piece(0, "b")],
        [Piece(0, "a", tokens=3), Piece(0, "b", tokens=2)],
        [Piece(0, "half \ud83d")],
    ],
)
def test_what_no_honest_engine_sends_is_not_passed_on(pieces: list[Piece]) -> None:
    with pytest.raises(Damaged):
        ceiling().take(pieces)


def test_a_final_count_is_no_less_than_the_running_one() -> None:
    held = ceiling()
    held.take([Piece(0, "a", tokens=5), Piece(1, "a", tokens=4)])
    assert held.believed(Counts(1, 9)).completion == 9
    with pytest.raises(Damaged):
        held.believed(Counts(1, 8))


def test_an_engine_of_ours_is_asked_for_no_more_than_a_slot_holds() -> None:
    """It rounds its context up, and would go on beyond what the deployment says."""

    async def main() -> None:
        async with world() as w, caller(w) as c:
            small = snapshot(2)
            deployment = replace(small.deployments["smol"], context=200)
            w.apply(replace(small, deployments={"smol": deployment}))
            body = json.dumps({"model": "smol", "messages": ASK}).encode()
            c.send(request(body))
            assert (await c.reply()).status == 200
            (call,) = w.engine.calls
            assert call.work.answer_tokens == 200

    asyncio.run(main())
