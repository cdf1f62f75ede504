"""Policy at the door: residency, sharing, suspension and revocation, seen from outside."""

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.factory.running import MODEL, Running
from tests.patience import until

ASK = [{"role": "user", "content": "Where are you?"}]
#: At temperature 0 the model goes on with it for as long as its context lasts: some 2,000 tokens.
ENDLESS = [{"role": "user", "content": "Write a very long story about a lighthouse."}]


class _Upstream(BaseHTTPRequestHandler):
    """A stand-in for a model server in another country: it answers, and counts what reached it."""

    protocol_version = "HTTP/1.1"
    reached = 0

    def do_POST(self) -> None:
        type(self).reached += 1
        self.rfile.read(int(self.headers["content-length"]))
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Far away."},
        }
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        answer = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
        body = json.dumps({**answer, "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the test output clean."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[socketserver.BaseServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Upstream)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def abroad(factory: Running, upstream: socketserver.BaseServer) -> Iterator[str]:
    """A deployment declared to stand in the United States."""
    port = upstream.server_address[1]
    factory.run(
        *("deploy", "add", "abroad", "--engine", "openai", "--upstream-model", "m"),
        *("--url", f"http://127.0.0.1:{port}/v1", "--jurisdiction", "US", "--permit-endpoint"),
    )
    yield "abroad"
    factory.run("deploy", "remove", "abroad")


def test_tenant_held_to_a_country_is_refused_at_an_upstream_elsewhere(
    factory: Running, abroad: str, tmp_path: Path
) -> None:
    factory.run("tenant", "add", "held", "--jurisdictions", "DE")
    factory.key("held")
    factory.run("tenant", "add", "roaming", "--jurisdictions", "US,DE")
    factory.key("roaming")
    before = _Upstream.reached
    with pytest.raises(openai.PermissionDeniedError) as refused:
        factory.client("held").chat.completions.create(model=abroad, messages=ASK)
    assert _Upstream.reached == before
    assert "DE" in str(refused.value)
    answer = factory.client("roaming").chat.completions.create(model=abroad, messages=ASK)
    assert answer.choices[0].message.content == "Far away."
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 3
    factory.booked(answer.id)
    told = factory.json("policy", "explain", answer.id)
    assert told["decision"] == "allow"
    assert told["place"]["stands"] == "US"
    now = factory.json(
        *("policy", "explain", "--tenant", "held", "--action", "serve", "--deployment", abroad)
    )
    assert now["decision"] == "deny"


def test_where_the_factory_connected_is_on_its_books(
    factory: Running, abroad: str, upstream: socketserver.BaseServer
) -> None:
    factory.run("tenant", "add", "traced", "--jurisdictions", "US,DE")
    factory.key("traced")
    factory.client("traced").chat.completions.create(model=abroad, messages=ASK)
    endpoint = f"127.0.0.1:{upstream.server_address[1]}"

    def uses() -> list[dict[str, Any]]:
        return [u for u in factory.json("egress", "list") if u["endpoint"] == endpoint]

    until(uses, "the use was never told")
    (one,) = uses()
    assert (one["why"], one["who"]) == ("upstream", "gateway-0")
    assert one["rules"]
    assert one["count"] >= 1


def test_explain_speaks_of_the_policy_that_decided_then(factory: Running, tmp_path: Path) -> None:
    answer = factory.client("demo").chat.completions.create(model=MODEL, messages=ASK, max_tokens=2)
    factory.booked(answer.id)
    then = factory.json("policy", "explain", answer.id)
    policies = tmp_path / "policies"
    policies.mkdir()
    for path in (factory.home / "policies").iterdir():
        (policies / path.name).write_bytes(path.read_bytes())
    before = (factory.home / "policies").as_posix()
    (policies / "extra.cedar").write_text(
        '@id("nobody-serves")\nforbid (principal, action == Action::"serve", resource);\n'
    )
    try:
        factory.run("policy", "apply", str(policies))
        with pytest.raises(openai.PermissionDeniedError) as refused:
            factory.client("demo").chat.completions.create(model=MODEL, messages=ASK)
        assert "nobody-serves" in str(refused.value)
        assert factory.json("policy", "explain", answer.id) == then
    finally:
        (policies / "extra.cedar").unlink()
        factory.run("policy", "apply", str(policies))
    assert Path(before, "extra.cedar").exists() is False
    factory.client("demo").chat.completions.create(model=MODEL, messages=ASK, max_tokens=2)


def test_a_broken_policy_is_refused_whole(factory: Running, tmp_path: Path) -> None:
    (tmp_path / "bad.cedar").write_text("permit (principal, action resource);")
    assert factory.run("policy", "check", str(tmp_path), check=False).returncode != 0
    done = factory.run("policy", "apply", str(tmp_path), check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    factory.client("demo").chat.completions.create(model=MODEL, messages=ASK, max_tokens=2)


def test_revoked_key_fails_on_next_request(factory: Running) -> None:
    told = factory.json("key", "add", "--tenant", "acme")
    client = openai.OpenAI(base_url=f"{factory.url}/v1", api_key=told["key"], max_retries=0)
    client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=2)
    factory.run("key", "revoke", told["id"])
    with pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=2)


def test_suspended_tenant_is_refused_and_its_running_stream_ends(factory: Running) -> None:
    factory.run("tenant", "add", "brief")
    factory.key("brief")
    stream = factory.client("brief").chat.completions.create(
        model=MODEL, messages=ENDLESS, temperature=0, max_tokens=1900, stream=True
    )
    for _ in range(3):
        next(stream)
    with factory.held():
        factory.run("tenant", "suspend", "brief")
        with pytest.raises(openai.APIError):
            list(stream)
    with pytest.raises(openai.PermissionDeniedError):
        factory.client("brief").chat.completions.create(model=MODEL, messages=ASK)


def test_unshared_model_and_unknown_model_look_the_same(factory: Running, tmp_path: Path) -> None:
    with factory.http("demo") as http:
        unknown = http.post("/v1/chat/completions", json={"model": "aaaa", "messages": ASK})
        receipts = [http.get(f"/factory/v1/receipts/{ref}") for ref in ("nope", "chatcmpl-x")]
    assert unknown.status_code == 404
    assert {r.status_code for r in receipts} == {404}


def test_one_tenant_cannot_read_another_ones_receipt(factory: Running) -> None:
    answer = factory.client("demo").chat.completions.create(model=MODEL, messages=ASK, max_tokens=2)
    with factory.http("demo") as http:
        until(lambda: http.get(f"/factory/v1/receipts/{answer.id}").status_code == 200)
    with factory.http("acme") as http:
        foreign = http.get(f"/factory/v1/receipts/{answer.id}")
        unknown = http.get("/factory/v1/receipts/chatcmpl-0197aaaa-bbbb-7ccc-8ddd-eeeeffff0000")
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content == unknown.content
