"""/factory/v1/contracts: what tenants bought; a tenant's keys see that tenant's."""

from dataclasses import asdict
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import may
from inland.api.shapes import Shape
from inland.domain.contracts import Contract, Tier
from inland.plant.contracts import Waiting

#: What a tenant is told of a contract of its own that is not in force.
_NOT_TOLD = "capacity that can be sold for it"

router = APIRouter(prefix="/factory/v1/contracts", tags=["contracts"])


class NewContract(Shape):
    """A contract to sell. `replace`: it takes the place of the one its tenant has there."""

    tenant: str = Field(max_length=63)
    deployment: str = Field(max_length=63)
    tokens_per_second: int = 0
    ttft_ms: int | None = None
    prompt_tokens: int = 512
    burst_tokens: int = 0
    weight: int = 1
    tier: Tier = Tier.STANDARD
    replace: bool = False

    def asked(self) -> Contract:
        """What the plant is asked."""
        return Contract(id="", **self.model_dump(exclude={"replace"}))


class ContractView(Shape):
    """A contract. `until_unix_s`: null while it is in force. `id`: of the record that sold it, null
    for one that factory.toml declares and that cannot be sold, `waits_for` says why."""

    id: str | None
    tenant: str
    deployment: str
    tokens_per_second: int
    ttft_ms: int | None
    prompt_tokens: int
    burst_tokens: int
    weight: int
    tier: Tier
    declared: bool
    since_unix_s: int | None
    until_unix_s: int | None
    waits_for: str | None = None

    @classmethod
    def of(cls, contract: Contract) -> Self:
        """A contract as it is shown."""
        return cls(**asdict(contract))

    @classmethod
    def of_waiting(cls, waiting: Waiting, caller: Caller) -> Self:
        """One that is not in force. Why may tell what others bought: its tenant is not told."""
        terms = asdict(waiting.contract) | {"id": None, "since_unix_s": None}
        return cls(**terms, waits_for=waiting.why if caller.tenant is None else _NOT_TOLD)


@router.get("", responses=may(404))
def contracts(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("contracts.list"))],
    tenant: str | None = None,
    *,
    ended: bool = False,
) -> list[ContractView]:
    """Contracts in force and those that wait to be, or all there ever were, everybody's or one
    tenant's."""
    control: Control = request.app.state.control
    whose = caller.reach(tenant)
    shown = [ContractView.of(one) for one in control.contracts.all(whose, ended=ended)]
    return shown + [
        ContractView.of_waiting(one, caller) for one in control.contracts.waiting(whose)
    ]


@router.post("", status_code=201, responses=may(400, 404, 409))
def add(
    request: Request,
    body: NewContract,
    caller: Annotated[Caller, Depends(caller_for("contracts.add"))],
) -> ContractView:
    """Sell a contract against measured capacity."""
    control: Control = request.app.state.control
    contract = control.contracts.add(caller.name, body.asked(), instead=body.replace)
    return ContractView.of(contract)


@router.delete("/{contract}", responses=may(404, 409))
def remove(
    request: Request,
    contract: str,
    caller: Annotated[Caller, Depends(caller_for("contracts.remove"))],
) -> ContractView:
    """End a contract; it stays listed among those that ended."""
    control: Control = request.app.state.control
    return ContractView.of(control.contracts.remove(caller.name, contract))
