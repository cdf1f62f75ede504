"""The client of control's API: how long it waits for what."""

from pathlib import Path

import httpx
import pytest

from inland.client import CALL_LIMIT_S, REPORT_LIMIT_S, FactoryClient


@pytest.mark.parametrize(
    ("ask", "limit_s"),
    [
        (lambda one: one.invoice("acme", "2026-12"), REPORT_LIMIT_S),
        (lambda one: one.invoice_page("acme", "2026-12"), REPORT_LIMIT_S),
        (lambda one: one.contract_report({}), REPORT_LIMIT_S),
        (lambda one: one.contract_page({}), REPORT_LIMIT_S),
        (lambda one: one.status(), CALL_LIMIT_S),
    ],
)
def test_what_is_made_of_a_months_records_is_waited_for_longer(ask, limit_s):
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"]["read"])
        return httpx.Response(200, json={})

    with FactoryClient(Path("/none.sock"), "none") as client:
        client._http._transport = httpx.MockTransport(answer)
        ask(client)
    assert seen == [limit_s]
