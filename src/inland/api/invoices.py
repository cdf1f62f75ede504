"""/factory/v1/invoice: a month of one tenant, as JSON and as a page to print."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from inland.api.access import Caller, caller_for
from inland.api.control import Control
from inland.api.invoice_page import page
from inland.api.problems import holds, may
from inland.api.shapes import Shape
from inland.decide.pricing import Line
from inland.domain.currencies import shown, shown_micros
from inland.domain.errors import BadInput
from inland.domain.pricing import TokenKind
from inland.plant.invoices import Invoice

router = APIRouter(prefix="/factory/v1/invoice", tags=["invoices"])


class LineView(Shape):
    """`tokens` of one kind under one price, which began at `since` and holds until `until` (null:
    still). `micros`: that price, for a million. Without a price all of it is null."""

    deployment: str
    kind: TokenKind
    tokens: int
    records: int
    currency: str | None
    micros: int | None
    price: str | None
    since: int | None
    until: int | None
    minor: int | None
    amount: str | None

    @classmethod
    def of(cls, line: Line) -> Self:
        """A line as it is shown."""
        price = line.price
        micros = None if price is None else price.micros(line.kind)
        return cls(
            deployment=line.deployment,
            kind=line.kind,
            tokens=line.tokens,
            records=line.records,
            currency=None if price is None else price.currency,
            micros=micros,
            price=None if micros is None else shown_micros(micros),
            since=None if price is None else price.since_unix_s,
            until=line.until_unix_s,
            minor=None if price is None else line.minor,
            amount=None if price is None else shown(line.minor, price.currency),
        )


class TotalView(Shape):
    """The sum of the lines in a currency; `minor` units of it."""

    currency: str
    minor: int
    amount: str


class CoveredView(Shape):
    """The tenant batches `first` to `last` of a writer, and the billed records in them."""

    writer: str
    first: int
    last: int
    records: int


class InvoiceView(Shape):
    """What the billed records of a month (UTC, by their own time) come to.

    `final`: the month is over and all of it is booked. `entries_sha256`: SHA-256 over the entries
    of these `records`, in the order of an export.
    """

    tenant: str
    month: str
    since: int
    until: int
    made: int
    final: bool
    lines: list[LineView]
    totals: list[TotalView]
    records: int
    entries_sha256: str
    batches: list[CoveredView]

    @classmethod
    def of(cls, invoice: Invoice) -> Self:
        """An invoice as it is shown."""
        return cls(
            tenant=invoice.tenant,
            month=invoice.month,
            since=invoice.from_unix_s,
            until=invoice.until_unix_s,
            made=invoice.made_unix_s,
            final=invoice.final,
            lines=[LineView.of(line) for line in invoice.lines],
            totals=[
                TotalView(currency=currency, minor=minor, amount=shown(minor, currency))
                for currency, minor in invoice.totals.items()
            ],
            records=invoice.records,
            entries_sha256=invoice.entries_sha256,
            batches=[
                CoveredView(writer=one.writer, first=one.first, last=one.last, records=one.records)
                for one in invoice.covered
            ],
        )


@router.get("", responses=may(400, 404))
def invoice(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("invoices.get"))],
    month: str,
    tenant: str | None = None,
) -> InvoiceView:
    """A tenant's invoice of a month (YYYY-MM), made of its records as they are booked now."""
    return _made(request, caller, tenant, month)


@router.get("/page", response_class=HTMLResponse, responses=may(400, 404) | holds("text/html"))
def invoice_page(
    request: Request,
    caller: Annotated[Caller, Depends(caller_for("invoices.page"))],
    month: str,
    tenant: str | None = None,
) -> HTMLResponse:
    """The same as one page of HTML without scripts, to read and to print."""
    return HTMLResponse(page(_made(request, caller, tenant, month).model_dump(mode="json")))


def _made(request: Request, caller: Caller, tenant: str | None, month: str) -> InvoiceView:
    control: Control = request.app.state.control
    whose = caller.reach(tenant)
    if whose is None:
        raise BadInput("tenant", "say whose invoice")
    return InvoiceView.of(control.invoices.make(whose, month))
