"""/factory/v1/contracts: what tenants bought and whether it was kept; a tenant's keys see that
tenant's."""

from dataclasses import asdict
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from pydantic import Field

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.problems import holds, may
from inland.api.report_page import page
from inland.api.shapes import Shape
from inland.decide.verdicts import Cause, Verdict
from inland.domain.contracts import Contract, Tier
from inland.plant.contracts import Waiting
from inland.plant.reports import ContractMonth, Report

#: A page of ours runs nothing and loads nothing.
_PAGE_HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
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


class MinuteView(Shape):
    """One exercised minute; `cause` is null where the contract was met."""

    minute_unix_s: int
    cause: Cause | None
    requests: int
    lost: int
    ttft_p95_us: int | None
    served_tokens: int
    wanted_tokens: int
    owed_tokens: int

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """A verdict as it is shown."""
        return cls(**asdict(verdict))


class ContractReport(Shape):
    """A contract's month: minutes in force, by verdict, breaches by cause, exercised ones each."""

    contract: ContractView
    prompt_ppm: int
    stream_ppm: int
    minutes_in_force: int
    met: int
    breached: int
    not_exercised: int
    causes: dict[Cause, int]
    minutes: list[MinuteView]

    @classmethod
    def of(cls, one: ContractMonth) -> Self:
        """A contract's month as it is shown."""
        causes = one.causes()
        met, exercised = causes.pop(None, 0), len(one.verdicts)
        return cls(
            contract=ContractView.of(one.contract),
            prompt_ppm=one.terms.prompt_ppm,
            stream_ppm=one.terms.stream_ppm,
            minutes_in_force=one.minutes,
            met=met,
            breached=exercised - met,
            not_exercised=one.minutes - exercised,
            causes={cause: causes[cause] for cause in Cause},
            minutes=[MinuteView.of(verdict) for verdict in one.verdicts],
        )


class ReportView(Shape):
    """What the records said at `as_of_unix_s`; from `open_unix_s` on, more of them may come."""

    month: str
    as_of_unix_s: int
    open_unix_s: int
    contracts: list[ContractReport]

    @classmethod
    def of(cls, report: Report) -> Self:
        """A report as it is shown."""
        return cls(
            month=report.month.name,
            as_of_unix_s=report.as_of_unix_s,
            open_unix_s=report.open_unix_s,
            contracts=[ContractReport.of(one) for one in report.contracts],
        )


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


@router.get("/report", responses=may(400, 404))
def report(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("contracts.report"))],
    tenant: str | None = None,
    deployment: str | None = None,
    month: str | None = None,
) -> ReportView:
    """A month (YYYY-MM, else this one) minute by minute, from the records: met, or breached and
    why."""
    return ReportView.of(_report(request, caller, tenant, deployment, month))


@router.get(
    "/report.html", response_class=HTMLResponse, responses=may(400, 404) | holds("text/html")
)
def report_page(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("contracts.page"))],
    tenant: str | None = None,
    deployment: str | None = None,
    month: str | None = None,
) -> HTMLResponse:
    """The same as one page to read, keep and print."""
    control: Control = request.app.state.control
    made = page(_report(request, caller, tenant, deployment, month), control.books.vkey)
    return HTMLResponse(made, headers=_PAGE_HEADERS)


def _report(
    request: Request,
    caller: Caller,
    tenant: str | None,
    deployment: str | None,
    month: str | None,
) -> Report:
    control: Control = request.app.state.control
    return control.reports.month(month, caller.reach(tenant), deployment)
