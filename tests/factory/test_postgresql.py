"""A whole factory over a real PostgreSQL: it answers, books, proves, and survives kills."""

from pathlib import Path

from tests import postgresql
from tests.factory.running import MODEL, Running, verify_outside
from tests.patience import until


def test_a_factory_whose_database_is_a_postgresql(tmp_path: Path, model_file: Path) -> None:
    assert model_file.exists()
    with postgresql.server(postgresql.own_address()) as server:
        url = server.database()
        factory = Running(tmp_path / "h")
        factory.make()
        (factory.home / "keys" / "database").touch(0o600)
        (factory.home / "keys" / "database").write_text("not asked for here\n")
        toml = factory.home / "factory.toml"
        server_url = f"postgresql://inland@{server.address}/{url.database}"
        named = f'\n[database]\nurl = "{server_url}"\npassword_file = "keys/database"\n'
        toml.write_text(toml.read_text() + named)
        factory.up()
        try:
            _work(factory, tmp_path)
        finally:
            factory.run("down", check=False)
        assert not (factory.home / "inland.db").exists()
        assert factory.run("ledger", "check").returncode == 0
        endpoints = factory.home / "policies" / "endpoints.cedar"
        assert f"{server.address}:5432" in endpoints.read_text()
        endpoints.write_text("")
        refused = factory.run("ledger", "check", check=False)
        assert refused.returncode == 1
        assert f'permit resource == Endpoint::"{server.address}:5432"' in refused.stderr


def _work(factory: Running, folder: Path) -> None:
    ask = {"model": MODEL, "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 3}
    with factory.http("demo", trust_env=False) as http:
        refs = [http.post("/v1/chat/completions", json=ask).json()["id"] for _ in range(3)]
    assert factory.json("tenant", "add", "clinic")["id"] == "clinic"
    key = factory.json("key", "add", "--tenant", "clinic")
    factory.run("key", "revoke", key["id"])
    factory.kill("control")
    vkey = folder / "vkey"
    until(lambda: _fetch(factory, refs[-1], folder / "r"))
    vkey.write_text(factory.run("ledger", "vkey").stdout)
    assert verify_outside(folder / "r", vkey).returncode == 0
    assert factory.json("usage", "--tenant", "demo")[0]["requests"] == len(refs)
    (way,) = [one for one in factory.json("egress", "list") if one["why"] == "database"]
    assert way["who"] == "control"
    assert way["endpoint"].endswith(":5432")
    assert way["rules"] == [f"endpoint.{way['endpoint']}"]
    found = {one["what"]: one for one in factory.json("doctor")}
    assert found["database"]["health"] == "good"
    assert {"clinic", "demo", "acme"} <= {one["id"] for one in factory.json("tenant", "list")}


def _fetch(factory: Running, ref: str, path: Path) -> bool:
    return factory.run("receipt", "get", ref, "-o", str(path), check=False).returncode == 0
