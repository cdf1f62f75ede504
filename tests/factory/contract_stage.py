"""What schemathesis meets: a factory with a key of every kind and something behind every name, and
what its names narrow the contract to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inland.decide.policy_set import default_files
from tests.factory.contract_values import (
    ASSETS,
    BILLING,
    CONTEXT,
    CONTRACTS,
    GUARDS,
    JOBS,
    JOBS_ASKED,
    LINE,
    TINY,
    TRAINED,
    Narrowing,
)
from tests.factory.running import Running, running
from tests.lora import adapter

#: Keys that do not work are asked with more often than one address may.
MANY = 1_000_000
#: A deployment that is there to be removed.
DOOMED = "doomed"
#: A model whose pull was begun, and fails.
PULLED = "pulled"
_OF_TOOLS = ("top_logprobs", "tools", "tool_choice", "parallel_tool_calls")
_OF_A_SERVER = ("url", "upstream_model", "jurisdiction", "operator", "token")
REVOKED = "revoked"
#: Whose lines are asked about.
_CALLERS = ("--tenant", "caller")


@contextmanager
def stage(folder: Path) -> Iterator[tuple[Running, dict[str, str | None], Narrowing]]:
    """A factory of its own with a key of every kind, and what its names narrow the contract to."""
    with running(folder / "home", source_failures_per_minute=MANY) as factory:
        operator = {"authorization": f"Bearer {factory.operator_key}"}
        with factory.http() as http:
            model = http.get("/factory/v1/models", headers=operator).json()[0]["id"]
        sizes = ("--context", str(CONTEXT), "--slots", "4")
        factory.run("deploy", "add", TINY, "--model", model, *sizes)
        factory.run(
            *("deploy", "add", DOOMED, "--engine", "openai", "--upstream-model", "m"),
            *("--url", "http://127.0.0.1:9/v1", "--jurisdiction", "DE", "--permit-endpoint"),
        )
        for tenant in ("fodder", "caller"):
            factory.run("tenant", "add", tenant)
        for period in ("day", "month"):
            factory.run("budget", "set", "--tenant", "fodder", "--tokens", "9", "--period", period)
        keys: dict[str, str | None] = {"nobody": None}
        keys["tenant-admin"] = factory.key("caller", "--role", "tenant-admin")
        keys["member"] = factory.key("caller")
        for role in ("auditor", "operator"):
            keys[role] = factory.json("key", "add", "--role", role)["key"]
        gone = factory.json("key", "add", "--tenant", "caller")
        keys[REVOKED] = gone["key"]
        factory.run("key", "revoke", gone["id"])
        spare = [
            factory.json("key", "add", "--tenant", t)["id"]
            for t in ("caller", "fodder", "caller", "fodder")
        ]
        with factory.client("caller") as client:
            answer = client.chat.completions.create(
                model=TINY, messages=[{"role": "user", "content": "Hi"}], max_tokens=2
            )
        factory.run("guard", "set", "held", "--find", "card", "--act", "note")
        order = {"name": PULLED, "source": "file:/nowhere/at/all.gguf"}
        with factory.http() as http:
            begun = http.post(f"/factory/v1/deployments/{TINY}/measure", headers=operator)
            pulled = http.post("/factory/v1/models/pull", json=order, headers=operator)
        assert (begun.status_code, pulled.status_code) == (202, 202), begun.text + pulled.text
        factory.receipt(answer.id, folder / "receipt.json")
        yield factory, keys, _narrowing(factory, model, answer.id, spare)


def _log(factory: Running) -> str:
    """The end of the newest log's origin, which names it below `/ledger/`."""
    vkey = factory.run("ledger", "vkey").stdout
    return vkey.partition("+")[0].rpartition("/")[2]


def _contract(factory: Running) -> str:
    """A contract that is in force."""
    words = ("--tenant", "caller", "--deployment", TINY, "--tokens-per-second", "0")
    return str(factory.json("contract", "add", *words, "--prompt-tokens", "64")["id"])


def _assets(factory: Running, folder: Path) -> Narrowing:
    """Assets in every state an operation wants, of the tenant whose member asks."""
    file = folder / "asset.bin"
    file.write_bytes(b"content")
    words = ("asset", "add", str(file), "--tenant", "caller", "--name", "held")
    held, labelled, doomed = (factory.json(*words)["id"] for _ in range(3))
    path = "/factory/v1/assets"
    with factory.http("caller") as http:
        body = {"kind": "dataset", "name": "under way", "bytes": 1}
        waits, left = (http.post(path, json=body).json()["id"] for _ in range(2))
        reading, read, ended = (
            http.post(f"{path}/{held}/exports", json={}).json()["id"] for _ in range(3)
        )
        assert http.get(f"{path}/{held}/exports/{read}/parts/0").content == b"content"
    with factory.http() as http:
        operator = {"authorization": f"Bearer {factory.operator_key}"}
        http.post(f"{path}/{held}/move", json={"to": "local"}, headers=operator)
        order = {"tenant": "caller", "assets": [held], "command": ["sleep", "600"]}
        job = http.post("/factory/v1/jobs", json=order, headers=operator).json()["id"]
    of_one = ("show", "finish", "share", "export", "read_part", "exported")
    named = {
        **dict.fromkeys((*of_one, "give_up_export", "move", "moved"), held),
        "label": labelled,
        "erase": doomed,
        "upload": waits,
        "put_part": waits,
        "give_up": left,
    }
    return {
        **ASSETS,
        **{f"assets.{name}.asset": {"enum": [one, "nothing"]} for name, one in named.items()},
        "assets.read_part.export": {"enum": [reading, "nothing"]},
        "assets.exported.export": {"enum": [read, "nothing"]},
        "assets.read_part.count": {"enum": [1]},
        **JOBS,
        "NewJob:assets": {"enum": [[held]]},
        "jobs.show.job": {"enum": [job, "nothing"]},
        "jobs.stop.job": {"enum": [job, "nothing"]},
        "assets.give_up_export.export": {"enum": [ended, "nothing"]},
        "number": {"enum": [0, 7]},
    }


def _lines(factory: Running, folder: Path) -> Narrowing:
    """A line, and a run of it that was refused: its suite holds nothing."""
    suite, line = folder / "suite.jsonl", folder / "line.toml"
    suite.write_text("?")
    line.write_text(LINE)
    factory.run("asset", "add", str(suite), *_CALLERS, "--name", "empty", "--kind", "suite")
    factory.run("line", "add", str(line), *_CALLERS)
    told = factory.run("line", "run", "nightly", *_CALLERS, "--json", check=False)
    run = json.loads(told.stdout)["id"]
    of_line, of_run = ("show", "pause", "run"), ("show", "logs", "refusal", "resume", "cancel")
    return {
        **{f"lines.{name}.line": {"enum": ["nightly", "nothing"]} for name in of_line},
        **{f"runs.{name}.run": {"enum": [run, "nothing"]} for name in of_run},
        "lines.show.tenant": {"enum": ["caller", "nobody-here"]},
        "runs.list.line": {"enum": ["nightly", "nothing"]},
        "NewLine:tenant": {"enum": ["caller", "nobody-here"]},
        "NewLine:text": {"enum": [LINE, "nonsense"]},
        "LinePause:tenant": {"enum": ["caller", "nobody-here"]},
        "LinePause:paused": {"enum": [False]},
        "LineUse:tenant": {"enum": ["caller", "nobody-here"]},
    }


def _feedback(factory: Running) -> Narrowing:
    """Answers: one to say something of, one of which something was said, one to take that back."""
    with factory.client("caller") as client:
        said, taught, taken = (
            client.chat.completions.create(
                model=TINY, messages=[{"role": "user", "content": "Hi"}], max_tokens=1
            ).id
            for _ in range(3)
        )
    asked = [{"role": "user", "content": "Hi"}]
    with factory.http("caller") as http:
        for receipt in (said, taught, taken):
            factory.booked(receipt)
            body = {"receipt": receipt, "thumbs": "down", "correction": "Yo", "messages": asked}
            assert http.post("/factory/v1/feedback", json=body).status_code == 200
    return {
        "NewFeedback:receipt": {"enum": [said]},
        "NewFeedback:correction": {"enum": ["", "Yo"]},
        "NewFeedback:messages": {"enum": [[], asked]},
        "feedback.list.tenant": {"enum": ["caller", "nobody-here"]},
        "feedback.show.receipt": {"enum": [taught, "nothing"]},
        "feedback.remove.receipt": {"enum": [taken, "nothing"]},
        "Collect:tenant": {"enum": ["caller", "nobody-here"]},
        "Collect:model": {"enum": [TINY, "nothing"]},
        "Collect:name": {"enum": ["", "grown"]},
    }


def _releases(factory: Running, folder: Path) -> Narrowing:
    """A release that is live, and its adapter."""
    file = folder / "adapter.gguf"
    adapter(file, seed=1)
    words = ("asset", "add", str(file), *_CALLERS, "--kind", "adapter", "--name", "notes")
    asset = factory.json(*words)["id"]
    named = ("--adapter", asset, "--deployment", TINY)
    release = factory.json("release", "propose", "notes", *named)["id"]
    factory.run("release", "approve", release)
    of_one = ("show", "statement", "origin", "approve", "rollback")
    return {
        **{f"releases.{name}.release": {"enum": [release, "nothing"]} for name in of_one},
        "NewRelease:name": {"enum": ["tides"]},
        "NewRelease:deployment": {"enum": [TINY]},
        "NewRelease:adapter": {"enum": [asset, "nothing"]},
        "NewRelease:evidence": {"enum": [{}]},
        "NewRelease:pace": {"enum": [{}]},
    }


def _batches(factory: Running) -> Narrowing:
    """A file, one that is to go, and a batch that failed."""
    with factory.client("caller") as client:
        kept, doomed = (
            client.files.create(file=("f.jsonl", b"?"), purpose="batch").id for _ in range(2)
        )
        batch = client.batches.create(
            input_file_id=kept, endpoint="/v1/completions", completion_window="24h"
        ).id
    return {
        **{f"files.{name}.file": {"enum": [kept, "nothing"]} for name in ("show", "content")},
        "files.delete.file": {"enum": [doomed, "nothing"]},
        "files.list.after": {"enum": [kept, "nothing"]},
        **{f"batches.{name}.batch": {"enum": [batch, "nothing"]} for name in ("show", "cancel")},
        "batches.list.after": {"enum": [batch, "nothing"]},
        "AddBatch:input_file_id": {"enum": [kept, "nothing"]},
    }


def _fine_tuning(factory: Running, folder: Path) -> Narrowing:
    """A job that failed, and a file that may be trained on, of which every other fails."""
    with factory.client("caller") as client:
        file = client.files.create(file=("f.jsonl", b"?"), purpose="fine-tune").id
    line = folder / "tuned.toml"
    line.write_text(TRAINED)
    factory.run("line", "add", str(line), *_CALLERS)
    told = factory.run("line", "run", "tuned", *_CALLERS, "--json", check=False)
    job = f"ftjob-{json.loads(told.stdout)['id']}"
    of_one = ("show", "events", "checkpoints", "cancel")
    return {
        **{f"fine_tuning.{name}.job": {"enum": [job, "nothing"]} for name in of_one},
        "fine_tuning.list.after": {"enum": [job, "nothing"]},
        "AddJob:training_file": {"enum": [file, "nothing"]},
        **JOBS_ASKED,
    }


#: What may be asked about a deployment that is to stay.
_ABOUT_ONE = ("show", "measure", "measurement", "scale")


def _asks(turn: dict[str, Any]) -> Narrowing:
    """Bodies of the token path that an engine can answer quickly."""
    return {
        "ChatBody:model": {"enum": [TINY]},
        "ChatBody:messages": {"type": "array", "items": turn, "minItems": 1, "maxItems": 2},
        "ChatBody:max_tokens": {"enum": [1, 2, 3]},
        "ChatBody:max_completion_tokens": {"type": "null"},
        "ChatBody:n": {"enum": [1, 2]},
        "ChatBody:stop": {"enum": [None, "x", ["a", "b"]]},
        "ChatBody:stream_options": {"type": "null"},
        **{f"ChatBody:{name}": {"type": "null"} for name in _OF_TOOLS},
        "ChatBody:response_format": {"enum": [None]},
        "CompletionBody:model": {"enum": [TINY]},
        "CompletionBody:prompt": {"enum": ["Hi", ["Hi", "Why?"]]},
        "CompletionBody:max_tokens": {"enum": [1, 2, 3]},
        "CompletionBody:n": {"enum": [1, 2]},
        "CompletionBody:stop": {"enum": [None, "x"]},
        "CompletionBody:stream_options": {"type": "null"},
        "EmbeddingBody:model": {"enum": [TINY]},
        "EmbeddingBody:input": {"enum": ["Hi", ["Hi", "Why?"]]},
        "EmbeddingBody:dimensions": {"type": "null"},
    }


def _narrowing(factory: Running, model: str, answer: str, spare: list[str]) -> Narrowing:
    """Names of things that are there, and a few that are not."""
    logs = [_log(factory)]
    factory.run("ledger", "rotate-key")
    logs.append(_log(factory))
    ledger = factory.home / "ledger"
    tiles = [str(one).rpartition("/tile/")[2] for one in ledger.rglob("tile/**/*") if one.is_file()]
    unknown = "chatcmpl-0197aaaa-bbbb-7ccc-8ddd-eeeeffff0000"
    turn: dict[str, Any] = {
        "properties": {"content": {"enum": ["Hi", "Why?", ""]}, "role": {"const": "user"}}
    }
    turn |= {"type": "object", "required": ["content", "role"], "additionalProperties": False}
    return {
        "ref": {"enum": [answer, answer.removeprefix("chatcmpl-"), unknown]},
        "receipts.get.since": {"enum": [1, 2, 1 << 40]},
        "tenant": {"enum": ["fodder", "nobody-here"]},
        "keys.revoke.key": {"enum": [*spare[:2], "aaaaaaaaaaaaaaaa"]},
        "keys.rotate.key": {"enum": [*spare[2:], "aaaaaaaaaaaaaaaa"]},
        **{f"deployments.{what}.name": {"enum": [TINY, "nothing"]} for what in _ABOUT_ONE},
        "deployments.remove.name": {"enum": [DOOMED, "nothing"]},
        "Scale:replicas": {"enum": [1, 2, -1]},
        **CONTRACTS,
        **BILLING,
        **_assets(factory, factory.home.parent),
        **_lines(factory, factory.home.parent),
        **_releases(factory, factory.home.parent),
        **_feedback(factory),
        **_batches(factory),
        **_fine_tuning(factory, factory.home.parent),
        "month": {"enum": ["2026-11", "2026-13"]},
        "contracts.report.deployment": {"enum": [TINY, "nothing"]},
        "contracts.page.deployment": {"enum": [TINY, "nothing"]},
        "contracts.remove.contract": {"enum": [_contract(factory), "nothing"]},
        "processes.revive.name": {"enum": ["gateway-0", "engine-tiny-0", "nothing"]},
        "usage.since": {"enum": ["2026-01-01", "1700000000", "never"]},
        "path": {"enum": [*tiles, "0/999"]},
        "log": {"enum": logs},
        "model": {"enum": [TINY, "nothing"]},
        **_asks(turn),
        **GUARDS,
        "Whose:tenant": {"enum": ["fodder", "nobody-here"]},
        "models.show.name": {"enum": [model, "nothing"]},
        "models.pulled.name": {"enum": [PULLED, "nothing"]},
        "PullOrder:name": {"enum": ["fetched", "No Name"]},
        "PullOrder:source": {"enum": ["file:/nowhere/at/all.gguf", "nonsense"]},
        "PullOrder:sha256": {"type": "null"},
        **{f"PullOrder:{name}": {"enum": [""]} for name in ("secret", "endpoint", "region")},
        "PullOrder:licence": {"enum": ["", "MIT"]},
        "NewTenant:name": {"enum": ["grown", "fodder", "No Name"]},
        "NewTenant:jurisdictions": {"enum": [None, ["DE"], ["Atlantis"]]},
        "NewTenant:storage": {"enum": [None, ["EU"], ["Atlantis"]]},
        "NewDeployment:name": {"enum": ["made", "Not This"]},
        "NewDeployment:engine": {"enum": ["llama.cpp"]},
        "NewDeployment:model": {"enum": [model, "nothing"]},
        "NewDeployment:slots": {"enum": [1, 2]},
        "NewDeployment:context": {"enum": [CONTEXT]},
        "NewDeployment:threads": {"enum": [1]},
        "NewDeployment:replicas": {"enum": [1]},
        "NewDeployment:permit_endpoint": {"enum": [False]},
        **{f"NewDeployment:{name}": {"type": "null"} for name in _OF_A_SERVER},
        "NewKey:tenant": {"enum": ["fodder", "caller", None]},
        "NewKey:expires": {"enum": [None, 1, 1 << 39]},
        "PolicySet:files": {"enum": [default_files(), {"bad.cedar": "permit"}]},
        "Asked:ref": {"enum": [answer, None]},
        "Asked:who": {"enum": ["fodder", "nobody-here"]},
        "Asked:action": {"enum": ["serve", "train", "nonsense"]},
        "Asked:deployment": {"enum": [TINY, "nothing"]},
        "Asked:place": {"enum": ["DE", "US/DE", "nowhere", None]},
        **{f"Asked:{name}": {"type": "null"} for name in ("tenant", "key", "model")},
    }
