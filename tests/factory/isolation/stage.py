"""Two tenants in one factory: alpha, whose keys ask, and beta, of whom they must not learn."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.factory.isolation import table
from tests.factory.isolation.table import Kind
from tests.factory.running import MODEL, Running
from tests.patience import until

#: Alpha's keys, then those of no tenant, then none at all.
TENANTS = ("alpha-admin", "alpha-member")
DEAD = ("alpha-revoked", "nobody")
STAFF = ("auditor", "operator")
CALLERS = (*TENANTS, *DEAD, *STAFF)
#: Keys that do not work are asked with more often than one address may.
MANY = 1_000_000

_PRIVATE = """
[[model]]
name = "private-weights"
owner = "beta"
file = "{file}"
sha256 = "{sha256}"
jurisdictions = ["WORLD"]

[[deployment]]
name = "private"
engine = "llama.cpp"
model = "private-weights"
slots = 2
context = 256
"""
#: Kinds whose names are ids that were made for them.
_MADE = (Kind.RECORD, Kind.CONTRACT, Kind.ASSET, Kind.RUN, Kind.FILE, Kind.BATCH, Kind.JOB)
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}


@dataclass
class Stage:
    """`foreign`, `unknown`, `own`: a name of each kind. `marks`: what would tell of beta."""

    factory: Running
    keys: dict[str, str | None]
    key_ids: dict[str, str]
    foreign: dict[Kind, str]
    unknown: dict[Kind, str]
    own: dict[Kind, str]
    marks: tuple[str, ...]
    refused: dict[str, int] = field(default_factory=dict)


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """A factory of its own with both tenants at work."""
    factory = Running(folder / "home")
    factory.up()
    try:
        _add_tenants(factory)
        _declare_private(factory)
        factory.restart_with(source_failures_per_minute=MANY)
        yield _made(factory)
    finally:
        factory.run("down", check=False)


def _add_tenants(factory: Running) -> None:
    for tenant in ("alpha", "beta"):
        factory.run("tenant", "add", tenant)


def _declare_private(factory: Running) -> None:
    """A model and a deployment of beta's alone."""
    told = factory.home / "factory.toml"
    text = told.read_text()
    lines = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
    file, sha256 = (lines[name].strip('"') for name in ("file", "sha256"))
    at = text.index("[limits]")
    private = _PRIVATE.format(file=file, sha256=sha256)
    told.write_text(text[:at] + private + "\n" + text[at:])


def _keys(factory: Running) -> tuple[dict[str, str | None], dict[str, str]]:
    """Every key, and its id, by how it is called."""
    keys: dict[str, str | None] = {"nobody": None}
    ids = {}
    wanted = {
        "alpha-admin": ("--tenant", "alpha", "--role", "tenant-admin"),
        "alpha-member": ("--tenant", "alpha"),
        "alpha-revoked": ("--tenant", "alpha"),
        "alpha-spare": ("--tenant", "alpha"),
        "auditor": ("--role", "auditor"),
        "operator": ("--role", "operator"),
        "beta": ("--tenant", "beta"),
    }
    for name, words in wanted.items():
        told = factory.json("key", "add", *words)
        keys[name], ids[name] = told["key"], told["id"]
    factory.run("key", "revoke", ids["alpha-revoked"])
    for name in ("alpha-member", "beta"):
        factory.keys[name] = str(keys[name])
    return keys, ids


def _made(factory: Running) -> Stage:
    keys, ids = _keys(factory)
    theirs = _answer(factory, "beta", "private")
    ours = _answer(factory, "alpha-member", MODEL)
    bought, assets, runs = _bought(factory), _assets(factory), _runs(factory)
    files = {tenant: f"file-{asset}" for tenant, asset in assets.items()}
    jobs = {tenant: f"ftjob-{runs[f'{tenant}-tuned']}" for tenant in assets}
    batches = {
        tenant: _batch(factory, key, files[tenant])
        for tenant, key in (("alpha", "alpha-member"), ("beta", "beta"))
    }
    foreign = {
        Kind.TENANT: "beta",
        Kind.KEY: ids["beta"],
        Kind.RECORD: theirs,
        Kind.DEPLOYMENT: "private",
        Kind.MODEL: "private-weights",
        Kind.PROCESS: "engine-private-0",
        Kind.CONTRACT: bought["beta"],
        Kind.ASSET: assets["beta"],
        Kind.LINE: "beta-line",
        Kind.RUN: runs["beta-line"],
        Kind.JOB: jobs["beta"],
        Kind.FILE: files["beta"],
        Kind.BATCH: batches["beta"],
    }
    unknown = {
        Kind.TENANT: "zeta",
        Kind.KEY: "a" * len(ids["beta"]),
        Kind.DEPLOYMENT: "unknown",
        Kind.MODEL: "unknown-weights",
        Kind.PROCESS: "engine-unknown-0",
        Kind.LINE: "zeta-line",
        **{kind: _nobodys(foreign[kind]) for kind in _MADE},
    }
    own = {
        Kind.TENANT: "alpha",
        Kind.KEY: ids["alpha-spare"],
        Kind.RECORD: ours,
        Kind.DEPLOYMENT: MODEL,
        Kind.MODEL: "no-weights",
        Kind.PROCESS: "no-process",
        Kind.CONTRACT: bought["alpha"],
        Kind.ASSET: assets["alpha"],
        Kind.LINE: "alpha-line",
        Kind.RUN: runs["alpha-line"],
        Kind.JOB: jobs["alpha"],
        Kind.FILE: files["alpha"],
        Kind.BATCH: batches["alpha"],
    }
    marks = (
        ids["beta"],
        theirs.removeprefix("chatcmpl-"),
        bought["beta"],
        assets["beta"],
        runs["beta-line"],
        runs["beta-tuned"],
        batches["beta"],
        "private",
        '"beta"',
        "beta",
    )
    return Stage(factory, keys, ids, foreign, unknown, own, marks)


def _nobodys(name: str) -> str:
    """A name like it, which nothing has."""
    return name[:-1] + ("0" if name[-1] != "0" else "1")


def _bought(factory: Running) -> dict[str, str]:
    """A contract of each tenant's, by its tenant."""
    return {
        tenant: factory.json(
            *("contract", "add", "--tenant", tenant, "--deployment", deployment),
            *("--tokens-per-second", "0", "--weight", "2"),
        )["id"]
        for tenant, deployment in (("alpha", MODEL), ("beta", "private"))
    }


def _assets(factory: Running) -> dict[str, str]:
    """An asset of each tenant's, by its tenant."""
    file = factory.home.parent / "data.jsonl"
    file.write_text("?")
    add = ("asset", "add", str(file))
    return {
        tenant: factory.json(*add, "--tenant", tenant, "--name", f"{tenant} data")["id"]
        for tenant in ("alpha", "beta")
    }


def _runs(factory: Running) -> dict[str, str]:
    """Runs of each tenant's, by their lines, refused as soon as they were begun: one that trains is
    a fine-tuning job too."""
    suite, line = factory.home.parent / "suite.jsonl", factory.home.parent / "line.toml"
    suite.write_text("?")
    runs = {}
    for tenant in ("alpha", "beta"):
        of_suite = ("--tenant", tenant, "--name", "nothing", "--kind", "suite")
        factory.run("asset", "add", str(suite), *of_suite)
        for name, text in (("line", table.LINE), ("tuned", table.TRAINED)):
            line.write_text(text.replace("alpha", tenant))
            factory.run("line", "add", str(line), "--tenant", tenant)
            words = ("--tenant", tenant, "--json")
            told = factory.run("line", "run", f"{tenant}-{name}", *words, check=False)
            runs[f"{tenant}-{name}"] = json.loads(told.stdout)["id"]
    return runs


def _batch(factory: Running, key: str, file: str) -> str:
    """A batch of what is no requests, which fails."""
    with factory.client(key) as client:
        begun = client.batches.create(
            input_file_id=file, endpoint="/v1/completions", completion_window="24h"
        )
        until(lambda: client.batches.retrieve(begun.id).status == "failed")
    return begun.id


def _answer(factory: Running, key: str, model: str) -> str:
    """The id of an answer that is on the books."""
    with factory.client(key) as client:
        answer = client.chat.completions.create(model=model, **ASK)
    with factory.http(key) as http:
        until(lambda: http.get(f"/factory/v1/receipts/{answer.id}").is_success, "it is not booked")
    return str(answer.id)
