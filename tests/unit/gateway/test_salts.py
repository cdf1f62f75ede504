"""Salts keep tenants apart, and tell nobody who they are."""

from hypothesis import given
from hypothesis import strategies as st

from inland.gateway.salts import SECRET_BYTES, Salts

SECRETS = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)


@given(SECRETS, st.lists(st.text(min_size=1, max_size=63), unique=True, min_size=2))
def test_every_tenant_has_one_of_its_own_that_stays(secret: bytes, tenants: list[str]) -> None:
    salts = Salts(secret)
    made = [salts.of(tenant) for tenant in tenants]
    assert len(set(made)) == len(tenants)
    assert made == [salts.of(tenant) for tenant in tenants]
    assert all(len(one) == 64 and set(one) <= set("0123456789abcdef") for one in made)


@given(SECRETS, SECRETS, st.text(min_size=1))
def test_another_life_has_others(one: bytes, other: bytes, tenant: str) -> None:
    assert (Salts(one).of(tenant) == Salts(other).of(tenant)) is (one == other)
