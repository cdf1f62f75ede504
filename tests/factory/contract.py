"""The contract asked of a running factory by schemathesis: what it allows, and what it forbids.

Requests that it forbids are drawn from the document as it is, those that it allows from a narrowed
one, whose names are things of this factory, so that they reach what lies behind a name.
"""

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inland.api.contract import operations
from inland.bootstrap.contract import whole
from inland.decide.policy_set import default_files
from tests.factory.contract_values import (
    ASSETS,
    BILLING,
    CONTEXT,
    CONTRACTS,
    GUARDS,
    JOBS,
    LINE,
    TINY,
    Narrowing,
)
from tests.factory.running import Running, running
from tests.patience import PATIENCE_S

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
#: Longest any request may take before it counts as a hang: a revocation may wait for two leases.
HANG_S = PATIENCE_S
#: Checks that do not fit: a body can be right in form and refused for what it says, and which rows
#: of the access table a key has is held by the table of isolation.
LEFT_OUT = "positive_data_acceptance,ignored_auth,ensure_resource_availability,use_after_free"
_CONFIG = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx"]
[[operations]]
include-operation-id = ["readyz", "chat.completions", "completions", "embeddings"]
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]
"""

_MODES = ("negative", "positive")
#: Paths whose answer about what is unknown takes its time (`api/waiting.py`).
_WAITING = "^/factory/v1/(receipts|policies/explain)"
#: Roles that cannot end what others ask about, and what of them a small run takes.
GENTLE = ("nobody", REVOKED, "member", "tenant-admin", "auditor")
FEW = (
    ("nobody", "negative"),
    (REVOKED, "positive"),
    ("member", "positive"),
    ("tenant-admin", "negative"),
    ("tenant-admin", "positive"),
    ("auditor", "negative"),
)
#: Operations that never get to do anything here: no process has been given up, and no part that is
#: made up has the length that its upload waits for.
NEVER = frozenset(
    {
        "POST /factory/v1/processes/{name}/revive",
        "PUT /factory/v1/assets/{asset}/parts/{number}",
    }
)
#: Processes of schemathesis at once.
AT_ONCE = 6
#: What Hypothesis finds out about Unicode is found out once, for all of them.
_KEPT = Path(__file__).parents[2] / ".hypothesis"
_ENVIRONMENT = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(_KEPT)}


@dataclass
class Ran:
    """What every role's runs came to. `failures`: one line each, none where the contract holds."""

    seed: int
    operations: set[str] = field(default_factory=set)
    roles: int = 0
    cases: int = 0
    seconds: float = 0.0
    accepted: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether every answer was as promised, and no process logged a fault."""
        return not (self.failures or self.logged or self.unreached)

    @property
    def unreached(self) -> set[str]:
        """Operations that no request got to do anything."""
        return self.operations - self.accepted - NEVER


def narrowed(document: dict[str, Any], narrowing: Narrowing) -> dict[str, Any]:
    """The document with parameters and properties of bodies held to what `narrowing` says."""
    made = copy.deepcopy(document)
    used = set()
    for _, _, operation in operations(made):
        for parameter in operation.get("parameters", ()):
            for name in (f"{operation['operationId']}.{parameter['name']}", parameter["name"]):
                if name in narrowing:
                    parameter["schema"] = narrowing[name]
                    used.add(name)
    for name, schema in narrowing.items():
        body, _, prop = name.partition(":")
        if prop:
            shape = made["components"]["schemas"][body]
            shape["properties"][prop] = schema
            shape["required"] = sorted({*shape.get("required", ()), prop})
            used.add(name)
    assert used == narrowing.keys(), narrowing.keys() - used
    return made


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
    of_line, of_run = ("show", "pause", "run"), ("show", "logs", "resume", "cancel")
    return {
        **{f"lines.{name}.line": {"enum": ["nightly", "nothing"]} for name in of_line},
        **{f"runs.{name}.run": {"enum": [run, "nothing"]} for name in of_run},
        "lines.show.tenant": {"enum": ["caller", "nobody-here"]},
        "runs.list.line": {"enum": ["nightly", "nothing"]},
        "NewLine:tenant": {"enum": ["caller", "nobody-here"]},
        "NewLine:text": {"enum": [LINE, "nonsense"]},
        "LinePause:tenant": {"enum": ["caller", "nobody-here"]},
        "LineUse:tenant": {"enum": ["caller", "nobody-here"]},
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


@dataclass(frozen=True)
class Round:
    """What one process of schemathesis asks: one role's key, one mode, some of the routes."""

    role: str
    mode: str
    phases: str
    size: int
    waits: bool = False

    def argv(self, document: Path, url: str, key: str | None, seed: int) -> list[str]:
        """Its command line. One worker: Python 3.11 parses wrongly in threads now and then."""
        argv = ["run", str(document), "--url", url, "--mode", self.mode, "--phases", self.phases]
        argv += ["--max-examples", str(self.size), "--seed", str(seed), "--workers", "1"]
        argv += ["--include-path-regex" if self.waits else "--exclude-path-regex", _WAITING]
        argv += ["--exclude-checks", LEFT_OUT, "--continue-on-failure", "--no-shrink"]
        argv += ["--request-timeout", str(HANG_S), "--generation-database", "none", "--no-color"]
        argv += ["--suppress-health-check", "all", "--warnings", "off"]
        return argv + (["-H", f"Authorization: Bearer {key}"] if key is not None else [])


def rounds(size: int, *, thorough: bool) -> list[list[Round]]:
    """What is asked, at once within one list. The operator may end anything: it comes last."""
    both, some = "coverage,fuzzing", "fuzzing"
    sizes = {"negative": size, "positive": 3 * size}
    everyone = [(role, mode) for role in GENTLE for mode in _MODES]
    gentle = [
        Round(role, mode, both, sizes[mode]) if thorough else _few(role, mode, sizes)
        for role, mode in (everyone if thorough else FEW)
    ]
    waiting = everyone if thorough else [("member", "positive")]
    waiting += [("operator", "positive")]
    gentle += [Round(role, mode, some, max(5, size // 10), waits=True) for role, mode in waiting]
    operator = [Round("operator", mode, both if thorough else some, sizes[mode]) for mode in _MODES]
    return [gentle, operator[:1], operator[1:]]


def _few(role: str, mode: str, sizes: Mapping[str, int]) -> Round:
    """Of those without a key that works all is refused, however it is asked."""
    size = sizes["negative"] if role in {"nobody", REVOKED} else sizes[mode]
    return Round(role, mode, "fuzzing", size)


def ask(factory: Running, document: Path, key: str | None, asked: Round, seed: int) -> Any:
    """One run of schemathesis; its report."""
    config = document.with_name("schemathesis.toml")
    config.write_text(_CONFIG)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        program = str(Path(sys.executable).with_name("schemathesis"))
        argv = [
            program,
            "--config-file",
            str(config),
            *asked.argv(document, factory.url, key, seed),
        ]
        argv += ["--report", "json", "--report-json-path", str(report)]
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, cwd=folder, env=_ENVIRONMENT
        )
        assert report.exists(), done.stdout + done.stderr
        told = json.loads(report.read_text())
    told["said"] = done.stdout
    return told


def run(folder: Path, seed: int, size: int, *, thorough: bool) -> Ran:
    """Every role over every route, forbidden requests and allowed ones."""
    ran, begin = Ran(seed), time.monotonic()
    document = whole()
    ran.operations = {f"{method.upper()} {path}" for path, method, _ in operations(document)}
    with stage(folder) as (factory, keys, narrowing):
        ran.roles = len(keys)
        before = logged(factory)
        documents = {mode: folder / f"{mode}.json" for mode in _MODES}
        documents["negative"].write_text(json.dumps(document))
        documents["positive"].write_text(json.dumps(narrowed(document, narrowing)))
        for together in rounds(size, thorough=thorough):
            with ThreadPoolExecutor(AT_ONCE) as pool:
                asked = {
                    one: pool.submit(ask, factory, documents[one.mode], keys[one.role], one, seed)
                    for one in together
                }
            for one, report in asked.items():
                _take(ran, one, report.result())
        ran.logged = faults(factory, before)
    ran.seconds = round(time.monotonic() - begin, 1)
    return ran


def _take(ran: Ran, asked: Round, report: Any) -> None:
    who = f"{asked.role} {asked.mode}"
    ran.cases += report["test_cases"]["generated"]
    ran.accepted |= {
        name
        for name, phases in report["valid_rates"].items()
        if any(phase["accepted"] for phase in phases.values())
    }
    ran.failures += [
        f"{who}: {one['title']}: {', '.join(one['operations'])}" for one in report["failures"]
    ]
    ran.failures += [f"{who}: {one}" for one in report["errors"]]
    if report["failures"] or report["errors"]:
        ran.failures.append(report["said"][-20_000:])


def faults(factory: Running, since: dict[Path, int]) -> list[str]:
    """What the factory's logs tell of a fault of its own, after the bytes that were there."""
    told = []
    for path in (factory.home / "logs").glob("*.log"):
        text = path.read_bytes()[since.get(path, 0) :].decode(errors="replace")
        lines = text.splitlines()
        told += [
            f"{path.name}: " + "\n".join(lines[number : number + 30])[:3000]
            for number, line in enumerate(lines)
            if "Traceback" in line or '"level": "error"' in line or '"level": "critical"' in line
        ]
    return told


def logged(factory: Running) -> dict[Path, int]:
    """How long each log is."""
    return {path: path.stat().st_size for path in (factory.home / "logs").glob("*.log")}


def main() -> int:
    """Run it large; one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--thorough", action="store_true", help="boundary values for every role")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ran = run(Path(folder), asked.seed, asked.size, thorough=asked.thorough)
    figures = {name: getattr(ran, name) for name in ("seed", "roles", "cases", "seconds", "holds")}
    found = {"operations": len(ran.operations), "failures": len(ran.failures)}
    print(json.dumps({"soak": "contract", **figures, **found}))
    if not ran.holds:
        print("\n".join([*ran.failures, *ran.logged, *ran.unreached]), file=sys.stderr)
    return int(not ran.holds)


if __name__ == "__main__":
    sys.exit(main())
