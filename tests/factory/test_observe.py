"""What an operator sees: health, metrics, logs; and what is in none of them."""

from tests import thief
from tests.factory.running import MODEL, Running
from tests.patience import until

SECRET_WORDS = "the plum is in the teapot"


def test_metrics_are_for_the_operator(factory: Running) -> None:
    with factory.http("demo") as http:
        refused = http.get("/metrics").status_code
        assert refused in {401, 403, 404}
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3}
        assert http.post("/v1/chat/completions", json=body).status_code == 200
    wanted = ("inland_requests", "inland_completion_tokens", "inland_ttft_seconds")
    until(lambda: all(any(n.startswith(w) for n in _metrics(factory)) for w in wanted))


def _metrics(factory: Running) -> set[str]:
    """The names that `/metrics` has values for."""
    with factory.http() as http:
        got = http.get("/metrics", headers={"authorization": f"Bearer {factory.operator_key}"})
    assert got.status_code == 200
    return {line.split("{")[0].split(" ")[0] for line in got.text.splitlines() if line[0] != "#"}


def test_health_needs_no_key(factory: Running) -> None:
    with factory.http() as http:
        assert http.get("/healthz").status_code == 200
        assert http.get("/readyz").status_code == 200


def test_logs_and_ledger_never_hold_a_text_or_a_key(factory: Running) -> None:
    with factory.http("acme") as http:
        body = {"model": MODEL, "messages": [{"role": "user", "content": SECRET_WORDS}]}
        answer = http.post("/v1/chat/completions", json=body | {"max_tokens": 12})
        text = answer.json()["choices"][0]["message"]["content"]
        http.post("/v1/chat/completions", json=body | {"nonsense": SECRET_WORDS})
        http.post("/v1/chat/completions", content=b"{" + SECRET_WORDS.encode())
    words = [SECRET_WORDS.encode(), text.encode(), factory.keys["acme"].encode()]
    assert thief.lying(factory.home, [word for word in words if len(word) > 8]) == {}
    assert factory.operator_key.encode() not in (factory.home / "inland.db").read_bytes()


def test_doctor_finds_nothing_bad_beside_a_running_factory(factory: Running) -> None:
    findings = {f["what"]: f for f in factory.json("doctor")}
    looked_at = {"disk", "memory", "clock", "clock jumps", "permissions", "ledger", "processes"}
    assert looked_at <= findings.keys()
    machine = {"disk", "inodes", "disk syncs"}  # and what else runs there
    assert not [f for f in findings.values() if f["health"] == "bad" and f["what"] not in machine]
    assert "all Inland" in findings["processes"]["told"]
    key = factory.home / "keys" / "operator"
    key.chmod(0o644)
    try:
        told = factory.run("doctor", check=False)
    finally:
        key.chmod(0o600)
    assert told.returncode == 1
    assert "keys/operator" in told.stdout
