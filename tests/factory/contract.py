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
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inland.api.contract import operations
from inland.bootstrap.contract import whole
from tests.factory.contract_stage import REVOKED, stage
from tests.factory.contract_values import Narrowing
from tests.factory.running import Running
from tests.patience import PATIENCE_S

#: Longest any request may take before it counts as a hang: a revocation may wait for two leases.
HANG_S = PATIENCE_S
#: Checks that do not fit: a body can be right in form and refused for what it says, and which rows
#: of the access table a key has is held by the table of isolation.
LEFT_OUT = "positive_data_acceptance,ignored_auth,ensure_resource_availability,use_after_free"
#: Busy is what a factory may be: which operations say so is in the contract, and none always does
#: (`Ran.unreached`). A body that is too long is refused for that, whatever else is wrong with it.
_CONFIG = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]
negative_data_rejection.expected-statuses = ["4xx", 503]
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
#: Operations that never get to do anything here: no process has been given up, no part that is made
#: up has the length that its upload waits for, a run was just begun when another is to be resumed
#: and is over when it is to be cancelled, as are the batch and the job, and the release that is
#: there has been approved before.
NEVER = frozenset(
    {
        "POST /factory/v1/processes/{name}/revive",
        "PUT /factory/v1/assets/{asset}/parts/{number}",
        "POST /factory/v1/runs/{run}/cancel",
        "POST /factory/v1/runs/{run}/resume",
        "POST /factory/v1/releases/{release}/approve",
        "POST /v1/batches/{batch}/cancel",
        "POST /v1/fine_tuning/jobs/{job}/cancel",
    }
)
#: What the stage had done before: who asks again may meet it at work still, or find that what it
#: takes was erased by a tenant's admin, who may.
STAGED = frozenset(
    {
        "POST /factory/v1/jobs",
        "POST /factory/v1/releases",
        "POST /factory/v1/deployments/{name}/measure",
        "POST /factory/v1/models/pull",
        "POST /v1/fine_tuning/jobs",
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
        return self.operations - self.accepted - NEVER - STAGED


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
    """What is asked, at once within one list. The operator may end anything: it comes last, with
    what is allowed first, for schemathesis asks again about any asset that it was shown."""
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
    allowed, forbidden = (
        Round("operator", mode, both if thorough else some, sizes[mode])
        for mode in reversed(_MODES)
    )
    return [gentle, [allowed], [forbidden]]


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
    parser.add_argument("--size", type=int, default=30)
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
