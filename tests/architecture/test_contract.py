"""The HTTP contract is whole: every route, its auth, its errors, and nothing that is not there."""

import ast
import json
from http import HTTPStatus

import pytest
import schemathesis

from inland.api.access import ACCESS
from inland.api.app import PUBLIC, routes
from inland.api.contract import operation_of, operations
from inland.bootstrap.contract import whole
from inland.gateway.contract import OPERATIONS
from tests.architecture import reference
from tests.architecture.source import ROOT

DOCUMENT = whole()
EVERY = list(operations(DOCUMENT))
#: A path of the token path as the gateway's source writes it, ending where its parameter begins.
DESCRIBED = {one.path.partition("{")[0] for one in OPERATIONS}


def test_the_document_in_the_tree_is_what_the_program_answers():
    """`make fix` renews it."""
    assert reference.CONTRACT.read_text() == reference.contract()


def test_it_is_openapi_3_1():
    schemathesis.openapi.from_dict(json.loads(json.dumps(DOCUMENT))).validate()
    assert DOCUMENT["openapi"].startswith("3.1")


def test_every_route_of_control_is_described():
    there = {(path, method) for path, method, _ in EVERY}
    for route in routes():
        assert {(route.path_format, method.lower()) for method in route.methods or ()} <= there


def test_every_path_that_the_gateway_knows_is_described():
    """Whoever adds a route to the token path adds it to `gateway.contract.OPERATIONS`."""
    told = set()
    for file in (ROOT / "src" / "inland" / "gateway").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            value = getattr(node, "value", None)
            text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
            if isinstance(node, ast.Constant) and isinstance(text, str) and text[:4] == "/v1/":
                told.add(text.partition("{")[0])
    assert told - {"/v1/"} == DESCRIBED


@pytest.mark.parametrize(("path", "method", "told"), EVERY, ids=[f"{m} {p}" for p, m, _ in EVERY])
def test_an_operation_says_who_may_ask_and_how_it_is_refused(path, method, told):
    token_path = path.startswith("/v1/")
    if path in {route.path_format for route in routes()}:
        (route,) = [
            r
            for r in routes()
            if (r.path_format, method.upper()) in {(r.path_format, m) for m in r.methods or ()}
            and r.path_format == path
        ]
        name = operation_of(route)
        assert (name is None) == (route.path in PUBLIC)
        assert told["security"] == ([] if name is None else [{"key": []}])
        assert told.get("x-inland-roles", []) == sorted(ACCESS.get(name or "", ()))
    else:
        assert told["security"] == [{"key": []}]
    wanted = "application/json" if token_path else "application/problem+json"
    for status, answer in told["responses"].items():
        assert HTTPStatus(int(status))
        if int(status) >= 400 and path not in {"/healthz", "/readyz"}:
            assert set(answer["content"]) == {wanted}, status
    assert {"400", "413", "500", "503"} <= told["responses"].keys()
    assert path in {"/healthz", "/readyz"} or "retry-after" in told["responses"]["503"]["headers"]


def test_every_reference_leads_somewhere():
    text = json.dumps(DOCUMENT)
    named = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert named <= DOCUMENT["components"]["schemas"].keys()
    assert len(named) > 30


def test_it_names_no_secret_and_nothing_of_a_factory():
    assert "inl_" not in json.dumps(DOCUMENT).replace("inl_<id>_<secret>", "")
