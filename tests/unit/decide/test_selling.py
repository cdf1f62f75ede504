"""Laws of selling: what is sold can be kept, at once and by everybody."""

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from inland.decide.capacity import step_s, ttft_s
from inland.decide.selling import Supply, capacity_of, least_objective_ms, offer
from inland.domain.capacity import StepModel
from inland.domain.contracts import Contract
from tests.unit.decide.engines import MODELS, profile

SUPPLIES = st.builds(
    Supply,
    profile=MODELS.map(profile),
    replicas=st.integers(1, 4),
    slots=st.integers(1, 32),
    headroom_percent=st.integers(0, 90),
    context_each=st.sampled_from([0.0, 512.0]),
)


def _contract(number: int, tokens: int, ttft_ms: int | None, prompt: int) -> Contract:
    return Contract(f"c{number}", f"t{number}", "m", tokens, ttft_ms, prompt)


CONTRACTS = st.lists(
    st.tuples(
        st.integers(0, 500), st.one_of(st.none(), st.integers(1, 5000)), st.integers(1, 1024)
    ),
    max_size=6,
).map(lambda those: [_contract(number, *one) for number, one in enumerate(those)])


@given(SUPPLIES, CONTRACTS)
def test_contracts_sold_one_by_one_can_all_be_kept(supply, wanted) -> None:
    sold: list[Contract] = []
    for one in wanted:
        if offer(supply, sold, one).fits:
            sold.append(one)
    assume(sold)
    capacity = capacity_of(supply, sold)
    model, each = supply.profile.model, supply.context_each
    assert 1 <= capacity.batch <= min(supply.slots, 16)
    for one in sold:
        if one.ttft_ms is not None:
            longest_s = ttft_s(model, capacity.batch, one.prompt_tokens, each)
            assert longest_s * 1000 <= one.ttft_ms + 1e-6
    spent = sum(one.tokens_per_second for one in sold)
    step = step_s(model, capacity.batch, capacity.batch * each)
    part_of_a_second = spent * step / capacity.batch / supply.replicas
    assert part_of_a_second <= (100 - supply.headroom_percent) / 100 + 1e-9


@given(SUPPLIES, CONTRACTS, st.integers(1, 500))
def test_a_refusal_says_how_much_is_left(supply, wanted, tokens) -> None:
    sold = [one for one in wanted if one.ttft_ms is None]
    asked = _contract(99, tokens, None, 64)
    answer = offer(supply, sold, asked)
    left = answer.before.left
    assert answer.fits == (tokens <= answer.before.for_sale - answer.before.sold)
    if left:
        assert offer(supply, sold, replace(asked, tokens_per_second=left)).fits
    assert not offer(supply, sold, replace(asked, tokens_per_second=left + 1)).fits


@given(SUPPLIES, CONTRACTS)
def test_the_least_objective_is_one_that_fits_and_a_stricter_does_not(supply, wanted) -> None:
    asked = _contract(99, 1, 1, 64)
    sold = [one for one in wanted if one.ttft_ms is None and one.tokens_per_second == 0]
    least = least_objective_ms(supply, sold, asked)
    if least is None:
        return
    assert offer(supply, sold, replace(asked, ttft_ms=least)).fits
    assert not offer(supply, sold, replace(asked, ttft_ms=max(least - 2, 0))).fits


MODEL = StepModel(0.0, 0.01, 0.002, 0.001, 0.0)


def test_the_strictest_objective_chooses_the_batch_and_pays_for_it_in_tokens() -> None:
    supply = Supply(profile(MODEL), 2, 16, 20)
    plain = _contract(1, 100, None, 64)
    strict = _contract(2, 100, 104, 64)  # two steps of at most 20 ms, and 64 ms of prompt
    assert capacity_of(supply, [plain]).batch == 16
    answer = offer(supply, [plain], strict)
    assert answer.fits
    assert answer.strictest == strict
    assert answer.capacity.batch == 10
    assert answer.capacity.for_sale == int(2 * 10 / 0.02 * 0.8)
    assert answer.capacity.tokens_per_second == answer.before.tokens_per_second == 1000
    assert answer.floor_ms == 74
    hopeless = offer(supply, [plain], replace(strict, ttft_ms=73))
    assert not hopeless.fits
    assert hopeless.capacity.batch == 0


def test_a_contract_that_takes_the_place_of_another_is_not_counted_twice() -> None:
    supply = Supply(profile(MODEL), 1, 16, 0)
    sold = [_contract(1, 400, None, 64), _contract(2, 100, None, 64)]
    assert offer(supply, sold, replace(sold[0], id="c9", tokens_per_second=399)).fits
    assert not offer(supply, sold, _contract(3, 1, None, 64)).fits
