"""Prices, budgets and invoices over HTTP: who may write, who reads whose."""

PRICE = {"deployment": "smollm2", "currency": "EUR", "prompt": "0.15", "completion": "0.6"}
BUDGET = {"tenant": "acme", "amount": "1000", "period": "day", "hard": True}


def test_a_price_is_shown_as_it_was_written(factory):
    operator = factory.as_("operator")
    told = operator.post("/factory/v1/prices", json=PRICE | {"cached": "0.0375"})
    assert told.status_code == 201
    assert (told.json()["cached"], told.json()["cached_micros"]) == ("0.0375", 37_500)
    assert (told.json()["prompt"], told.json()["completion"]) == ("0.15", "0.60")
    for reader in ("operator", "auditor"):
        assert factory.as_(reader).get("/factory/v1/prices").json() == [told.json()]
    assert factory.as_("acme-admin").get("/factory/v1/prices").status_code == 403


def test_a_cached_token_costs_what_a_prompts_does_unless_it_is_said(factory):
    told = factory.as_("operator").post("/factory/v1/prices", json=PRICE).json()
    assert told["cached_micros"] == told["prompt_micros"]


def test_what_is_no_price_or_budget_is_refused_by_name(factory):
    operator = factory.as_("operator")
    for path, base, wrong in (
        ("prices", PRICE, {"prompt": "-1"}),
        ("prices", PRICE, {"prompt": "0.0000001"}),
        ("prices", PRICE, {"currency": "euro"}),
        ("prices", PRICE, {"since": 1}),
        ("prices", PRICE, {"since": 253_402_300_800}),
        ("budgets", BUDGET, {"amount": "1.5"}),
        ("budgets", BUDGET, {"amount": "9" * 20}),
        ("budgets", BUDGET, {"unit": "EUR", "amount": "0.001"}),
    ):
        told = operator.post(f"/factory/v1/{path}", json=base | wrong)
        assert told.status_code in {400, 422}, (wrong, told.text)
    for path, wrong in (("prices", {"deployment": "no"}), ("budgets", {"tenant": "no"})):
        base = PRICE if path == "prices" else BUDGET
        assert operator.post(f"/factory/v1/{path}", json=base | wrong).status_code == 404


def test_a_tenant_sees_its_own_budgets_alone(factory):
    operator = factory.as_("operator")
    for tenant in ("acme", "demo"):
        assert operator.post("/factory/v1/budgets", json=BUDGET | {"tenant": tenant}).is_success
    (told,) = factory.as_("acme-admin").get("/factory/v1/budgets").json()
    assert (told["tenant"], told["standing"], told["used"]) == ("acme", "ok", "0")
    assert told["overshoot_tokens_per_request"] == 4096
    assert len(factory.as_("auditor").get("/factory/v1/budgets").json()) == 2
    foreign = factory.as_("acme-admin").get("/factory/v1/budgets?tenant=demo")
    assert foreign.status_code == 404
    assert factory.as_("acme-admin").post("/factory/v1/budgets", json=BUDGET).status_code == 403


def test_a_budget_is_removed_by_its_names(factory):
    operator = factory.as_("operator")
    operator.post("/factory/v1/budgets", json=BUDGET | {"unit": "EUR", "amount": "1.50"})
    names = {"tenant": "acme", "period": "day", "unit": "EUR"}
    assert operator.delete("/factory/v1/budgets", params=names).status_code == 204
    assert operator.delete("/factory/v1/budgets", params=names).status_code == 404


def test_an_invoice_is_its_tenants_as_json_and_as_a_page(factory):
    month = {"month": "2026-01"}
    told = factory.as_("acme-admin").get("/factory/v1/invoice", params=month)
    assert told.json()["tenant"] == "acme"
    assert told.json()["lines"] == told.json()["totals"] == []
    page = factory.as_("acme-admin").get("/factory/v1/invoice/page", params=month)
    assert page.headers["content-type"].startswith("text/html")
    assert "acme" in page.text
    for path in ("invoice", "invoice/page"):
        foreign = {**month, "tenant": "demo"}
        assert (
            factory.as_("acme-admin").get(f"/factory/v1/{path}", params=foreign).status_code == 404
        )
        assert factory.as_("operator").get(f"/factory/v1/{path}", params=month).status_code == 400
        assert factory.as_("auditor").get(f"/factory/v1/{path}", params=foreign).status_code == 200


def test_the_operators_metrics_say_how_budgets_stand(factory):
    factory.as_("operator").post("/factory/v1/budgets", json=BUDGET | {"amount": "0"})
    text = factory.as_("operator").get("/metrics").text
    labels = '{key="",period="day",tenant="acme",unit="tokens"}'
    assert f"inland_budget_used_ratio{labels} 1.0" in text
    assert f"inland_budget_standing{labels} 2.0" in text
