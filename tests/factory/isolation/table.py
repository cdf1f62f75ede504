"""The table: where a route or command takes a name, and of what; what each shows to whom.

A route, parameter, property or command that is not in it fails a test.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any

from inland.api.contract import operations
from inland.bootstrap.contract import whole


class Kind(Enum):
    """What a name is of. Each is another tenant's, and there is one like it that is nobody's."""

    TENANT = "tenant"
    KEY = "key"
    RECORD = "record"
    DEPLOYMENT = "deployment"
    MODEL = "model"
    PROCESS = "process"
    CONTRACT = "contract"
    ASSET = "asset"
    LINE = "line"
    RUN = "run"
    FILE = "file"
    BATCH = "batch"
    JOB = "job"


_WORK = ("user", "metadata", "store")
_TEXTS = (
    *(*_WORK, "stream", "stream_options", "n", "max_tokens", "stop", "seed", "temperature"),
    *("top_p", "presence_penalty", "frequency_penalty", "logprobs"),
)
#: Properties of bodies that name nothing of anybody's, by operation.
_PLAIN = {
    "tenants.add": ("jurisdictions", "storage", "classification", "purposes"),
    "tenants.label": ("purposes",),
    "keys.add": ("role", "expires"),
    "keys.rotate": ("overlap_s",),
    "deployments.add": (
        *("engine", "slots", "context", "threads", "replicas", "url", "upstream_model"),
        *("jurisdiction", "operator", "token", "permit_endpoint", "supports"),
    ),
    "contracts.add": (
        *("tokens_per_second", "ttft_ms", "prompt_tokens", "burst_tokens", "weight", "tier"),
        "replace",
    ),
    "assets.add": ("kind", "name", "title", "bytes", "run", "resume", "label"),
    "assets.label": (
        *("jurisdictions", "storage", "classification", "purposes", "derived_purposes"),
        *("retention_days", "for_ever"),
    ),
    "assets.export": ("destination", "recipient"),
    "assets.move": ("to",),
    "records.destroy": ("before", "only_tell"),
    "models.pull": ("source", "sha256", "licence", "endpoint", "region", "secret"),
    "policies.apply": ("files",),
    "policies.explain": ("action", "place", "destination"),
    "deployments.scale": ("replicas",),
    "jobs.run": ("purpose", "command", "readable", "seconds"),
    "lines.add": ("text",),
    "lines.pause": ("paused",),
    "batches.create": ("endpoint", "completion_window", "metadata"),
    "fine_tuning.create": (
        *("hyperparameters", "method", "suffix", "seed", "metadata", "integrations"),
    ),
    "log.rotate": ("why",),
    "vault.check": ("repair",),
    "vault.rotate": ("secret",),
    "budgets.set": ("unit", "amount", "period", "soft_percent", "hard"),
    "guards.set": ("name", "act", "finds", "patterns", "on", "category", "fails"),
    "releases.propose": ("name", "evidence", "pace"),
    "feedback.give": ("thumbs", "correction", "messages"),
    "feedback.collect": ("name",),
    "prices.set": ("currency", "prompt", "cached", "completion", "since"),
    "chat.completions": (
        *(*_TEXTS, "messages", "max_completion_tokens", "top_logprobs"),
        *("tools", "tool_choice", "parallel_tool_calls", "response_format"),
    ),
    "completions": (*_TEXTS, "prompt"),
    "embeddings": (*_WORK, "input", "encoding_format", "dimensions"),
}
_OF_AN_ASSET = (
    *("show", "upload", "give_up", "put_part", "finish", "share", "label", "export"),
    *("read_part", "exported", "give_up_export", "move", "moved", "erase"),
)
#: Where a caller can name something: operation and parameter, or operation and property of a body.
#: None: a value that names nothing of anybody's.
SLOTS: dict[str, Kind | None] = {
    **{f"{operation}:{name}": None for operation, names in _PLAIN.items() for name in names},
    "tile.path": None,
    "checkpoint_of.log": None,
    "tile_of.log": None,
    "tile_of.path": None,
    "successor.log": None,
    "receipts.get.since": None,
    "usage.since": None,
    "processes.revive.name": Kind.PROCESS,
    "tenants.add:name": Kind.TENANT,
    "tenants.label.tenant": Kind.TENANT,
    "tenants.suspend.tenant": Kind.TENANT,
    "tenants.resume.tenant": Kind.TENANT,
    "jobs.run:tenant": Kind.TENANT,
    "jobs.run:assets": Kind.ASSET,
    "jobs.list.tenant": Kind.TENANT,
    "jobs.show.job": Kind.RECORD,
    "jobs.stop.job": Kind.RECORD,
    "releases.propose:deployment": Kind.DEPLOYMENT,
    "releases.propose:adapter": Kind.ASSET,
    "releases.list.tenant": Kind.TENANT,
    **{
        f"releases.{name}.release": Kind.RECORD
        for name in ("show", "statement", "origin", "approve", "rollback")
    },
    "feedback.give:receipt": Kind.RECORD,
    "feedback.list.tenant": Kind.TENANT,
    "feedback.list.model": None,
    "feedback.show.receipt": Kind.RECORD,
    "feedback.remove.receipt": Kind.RECORD,
    "feedback.collect:tenant": Kind.TENANT,
    "feedback.collect:model": Kind.DEPLOYMENT,
    "lines.add:tenant": Kind.TENANT,
    "lines.list.tenant": Kind.TENANT,
    **{f"lines.{name}.line": Kind.LINE for name in ("show", "pause", "run")},
    "lines.show.tenant": Kind.TENANT,
    "lines.pause:tenant": Kind.TENANT,
    "lines.run:tenant": Kind.TENANT,
    "runs.list.tenant": Kind.TENANT,
    "runs.list.line": None,
    **{f"runs.{name}.run": Kind.RUN for name in ("show", "logs", "refusal", "resume", "cancel")},
    "runs.logs.after": None,
    "files.list.purpose": None,
    "files.list.limit": None,
    "files.list.order": None,
    "files.list.after": Kind.FILE,
    **{f"files.{name}.file": Kind.FILE for name in ("show", "content", "delete")},
    "batches.create:input_file_id": Kind.FILE,
    "batches.list.limit": None,
    "batches.list.after": Kind.BATCH,
    **{f"batches.{name}.batch": Kind.BATCH for name in ("show", "cancel")},
    "fine_tuning.create:model": Kind.DEPLOYMENT,
    "fine_tuning.create:training_file": Kind.FILE,
    "fine_tuning.create:validation_file": Kind.FILE,
    "fine_tuning.list.limit": None,
    "fine_tuning.list.after": Kind.JOB,
    **{f"fine_tuning.{name}.job": Kind.JOB for name in ("show", "events", "checkpoints", "cancel")},
    **{
        f"fine_tuning.{name}.{which}": None
        for name in ("events", "checkpoints")
        for which in ("limit", "after")
    },
    "vault.withdraw:tenant": Kind.TENANT,
    "vault.give-back:tenant": Kind.TENANT,
    "keys.list.tenant": Kind.TENANT,
    "keys.add:tenant": Kind.TENANT,
    "keys.add:models": Kind.DEPLOYMENT,
    "keys.revoke.key": Kind.KEY,
    "keys.rotate.key": Kind.KEY,
    "models.show.name": Kind.MODEL,
    "models.pull:name": Kind.MODEL,
    "models.pulled.name": Kind.MODEL,
    "deployments.add:name": Kind.DEPLOYMENT,
    "deployments.add:model": Kind.MODEL,
    "deployments.show.name": Kind.DEPLOYMENT,
    "deployments.scale.name": Kind.DEPLOYMENT,
    "deployments.remove.name": Kind.DEPLOYMENT,
    "assets.list.tenant": Kind.TENANT,
    "assets.list.erased": None,
    "assets.add:tenant": Kind.TENANT,
    "assets.add:parents": Kind.ASSET,
    **{f"assets.{name}.asset": Kind.ASSET for name in _OF_AN_ASSET},
    "assets.put_part.number": None,
    "assets.read_part.number": None,
    "assets.read_part.count": None,
    "assets.read_part.export": Kind.RECORD,
    "assets.exported.export": Kind.RECORD,
    "assets.give_up_export.export": Kind.RECORD,
    "assets.share:add": Kind.TENANT,
    "assets.share:remove": Kind.TENANT,
    "contracts.list.tenant": Kind.TENANT,
    "contracts.list.ended": None,
    "contracts.add:tenant": Kind.TENANT,
    "contracts.add:deployment": Kind.DEPLOYMENT,
    **{
        f"contracts.{name}.{parameter}": kind
        for name in ("report", "page")
        for parameter, kind in (
            *(("tenant", Kind.TENANT), ("deployment", Kind.DEPLOYMENT), ("month", None)),
        )
    },
    "contracts.remove.contract": Kind.CONTRACT,
    "deployments.measure.name": Kind.DEPLOYMENT,
    "deployments.measurement.name": Kind.DEPLOYMENT,
    "policies.explain:ref": Kind.RECORD,
    "policies.explain:who": Kind.TENANT,
    "policies.explain:tenant": Kind.TENANT,
    "policies.explain:key": Kind.KEY,
    "policies.explain:deployment": Kind.DEPLOYMENT,
    "policies.explain:model": Kind.MODEL,
    "policies.explain:asset": Kind.ASSET,
    "receipts.get.ref": Kind.RECORD,
    "receipts.key.ref": Kind.RECORD,
    "records.export.tenant": Kind.TENANT,
    "records.destroy:tenant": Kind.TENANT,
    "usage.tenant": Kind.TENANT,
    "budgets.list.tenant": Kind.TENANT,
    "budgets.set:tenant": Kind.TENANT,
    "budgets.set:key": Kind.KEY,
    "budgets.remove.tenant": Kind.TENANT,
    "budgets.remove.key": Kind.KEY,
    "budgets.remove.unit": None,
    "budgets.remove.period": None,
    "prices.set:deployment": Kind.DEPLOYMENT,
    "guards.set:deployment": Kind.DEPLOYMENT,
    "guards.set:tenant": Kind.TENANT,
    "guards.set:classifier": Kind.DEPLOYMENT,
    "guards.remove.name": None,
    "invoices.get.tenant": Kind.TENANT,
    "invoices.get.month": None,
    "invoices.page.tenant": Kind.TENANT,
    "invoices.page.month": None,
    "chat.completions:model": Kind.DEPLOYMENT,
    "completions:model": Kind.DEPLOYMENT,
    "embeddings:model": Kind.DEPLOYMENT,
    "models.one.model": Kind.DEPLOYMENT,
}

#: A line of alpha's that may be declared again and again.
LINE = """
name = "alpha-line"
base = "smollm2"
suite = [{name = "s", asset = "nothing"}]
gate.score = [{suite = "s", least = 0.5}]
"""

#: One that trains.
TRAINED = f"""{LINE.replace("alpha-line", "alpha-tuned")}
data.train = ["alpha data"]
method = {{}}
"""

#: What a base request of each operation sends, a tenant's own names in it; "{…}" are put in.
BODIES: dict[str, dict[str, Any] | bytes] = {
    "assets.add": {"kind": "dataset", "name": "n", "bytes": 0, "parents": ["{asset}"]},
    "assets.put_part": b"x",
    "assets.share": {"add": ["{tenant}"]},
    "assets.label": {},
    "assets.export": {},
    "assets.move": {"to": "local"},
    "records.destroy": {"before": "2020-01-01", "only_tell": True},
    "tenants.add": {"name": "{tenant}"},
    "tenants.label": {"purposes": ["serve"]},
    "keys.add": {"models": ["{deployment}"]},
    "deployments.add": {"name": "{deployment}", "model": "{model}"},
    "deployments.scale": {"replicas": 1},
    "models.pull": {"name": "{model}", "source": "file:/nowhere"},
    "contracts.add": {"tenant": "{tenant}", "deployment": "{deployment}"},
    "keys.rotate": {"overlap_s": 0},
    "policies.apply": {"files": {"a.cedar": "permit"}},
    "policies.explain": {"who": "{tenant}", "deployment": "{deployment}"},
    "jobs.run": {"tenant": "{tenant}", "assets": ["{asset}"], "command": ["true"]},
    "lines.add": {"text": LINE},
    "lines.pause": {"paused": False},
    "lines.run": {},
    "batches.create": {
        "input_file_id": "{file}",
        "endpoint": "/v1/completions",
        "completion_window": "24h",
    },
    "fine_tuning.create": {"model": "{deployment}", "training_file": "{file}"},
    "log.rotate": {"why": "nonsense"},
    "releases.propose": {"name": "n", "deployment": "{deployment}", "adapter": "{asset}"},
    "feedback.give": {"receipt": "{record}", "thumbs": "up"},
    "feedback.collect": {"model": "{deployment}"},
    "budgets.set": {"tenant": "{tenant}", "amount": "1", "period": "day"},
    "guards.set": {"name": "cards", "act": "note", "finds": ["card"], "tenant": "{tenant}"},
    "prices.set": {
        "deployment": "{deployment}",
        "currency": "EUR",
        "prompt": "1",
        "completion": "1",
    },
    "chat.completions": {
        "model": "{deployment}",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 1,
    },
    "completions": {"model": "{deployment}", "prompt": "Hi", "max_tokens": 1},
    "embeddings": {"model": "{deployment}", "input": "Hi"},
}
#: Values of what names nothing.
VALUES = {
    "period": "day",
    "month": "2026-01",
    "path": "0/999",
    "log": "00000000",
    "number": "0",
    "after": "0",
    "count": "1",
    "name": "cards",
}

#: Operations that show a tenant's keys something of their own, or of everybody's.
OPEN = frozenset(
    {
        *("openapi", "healthz", "readyz", "checkpoint", "tenants.list", "keys.list", "keys.add"),
        *("receipts.get", "receipts.key", "records.export", "records.destroy", "usage", "vkey"),
        *(
            "assets.list",
            "assets.show",
            "assets.finish",
            "assets.label",
            "assets.export",
            "assets.move",
        ),
        *("contracts.list", "contracts.report", "contracts.page", "jobs.list"),
        "releases.list",
        *("feedback.list", "feedback.give"),
        *("lines.list", "lines.show", "runs.list", "runs.show", "runs.logs"),
        *("files.list", "files.show", "files.content", "batches.list", "batches.show"),
        *("fine_tuning.list", "fine_tuning.show", "fine_tuning.events", "fine_tuning.checkpoints"),
        *("invoices.get", "invoices.page", "budgets.list"),
        *("chat.completions", "completions", "embeddings", "models", "models.one"),
    }
)
#: Operations whose answer about what a tenant may not see is not a 4xx: a key may be limited to
#: deployments that are not there (yet), which says nothing of those that are.
NOT_REFUSED = frozenset(
    {
        *("keys.add:models", "contracts.report.deployment", "contracts.page.deployment"),
        *("assets.share:add", "assets.share:remove"),
    }
)
#: Their own thing is ended by the base request, so it is asked for apart.
ENDING = frozenset({"keys.revoke", "keys.rotate", "assets.erase", "files.delete"})

#: Every command: what it is for a tenant's key. "files": reads or rules the home's own files, which
#: only their owner can; else the words that name a thing, with what stands for the name.
COMMANDS: dict[str, list[tuple[Kind, list[str]]] | str] = {
    "inland asset add": [
        (Kind.TENANT, ["/etc/passwd", "--name", "n", "--tenant", "{}"]),
        (Kind.ASSET, ["/etc/passwd", "--name", "n", "--from", "{}"]),
    ],
    "inland asset erase": [(Kind.ASSET, ["{}", "--yes", "-o", "/dev/null"])],
    "inland asset export": [(Kind.ASSET, ["{}", "-o", "/dev/null"])],
    "inland asset label": [(Kind.ASSET, ["{}", "--purposes", "train"])],
    "inland asset move": [(Kind.ASSET, ["{}", "--to", "local"])],
    "inland asset list": [(Kind.TENANT, ["--tenant", "{}"])],
    "inland asset share": [(Kind.ASSET, ["{}", "--with", "alpha"])],
    "inland asset show": [(Kind.ASSET, ["{}"])],
    "inland budget list": [(Kind.TENANT, ["--tenant", "{}"])],
    "inland budget remove": [(Kind.TENANT, ["--tenant", "{}", "--period", "day"])],
    "inland budget set": [
        (Kind.TENANT, ["--tenant", "{}", "--tokens", "1", "--period", "day"]),
        (Kind.KEY, ["--tenant", "alpha", "--key", "{}", "--tokens", "1", "--period", "day"]),
    ],
    "inland bundle export": "files",
    "inland bundle import": "files",
    "inland bundle vkey": "files",
    "inland contract add": [
        (Kind.TENANT, ["--tenant", "{}", "--deployment", "smollm2", "--tokens-per-second", "0"]),
        (Kind.DEPLOYMENT, ["--tenant", "alpha", "--deployment", "{}", "--tokens-per-second", "0"]),
    ],
    "inland contract list": [(Kind.TENANT, ["--tenant", "{}"])],
    "inland contract report": [(Kind.TENANT, ["--tenant", "{}"])],
    "inland contract remove": [(Kind.CONTRACT, ["{}"])],
    "inland deploy add": [
        (Kind.DEPLOYMENT, ["{}", "--model", "m"]),
        (Kind.MODEL, ["x", "--model", "{}"]),
    ],
    "inland deploy list": [],
    "inland deploy measure": [(Kind.DEPLOYMENT, ["{}"])],
    "inland deploy remove": [(Kind.DEPLOYMENT, ["{}"])],
    "inland deploy scale": [(Kind.DEPLOYMENT, ["{}", "1"])],
    "inland deploy show": [(Kind.DEPLOYMENT, ["{}"])],
    "inland doctor": "files",
    "inland down": "files",
    "inland feedback collect": [
        (Kind.TENANT, ["smollm2", "--tenant", "{}"]),
        (Kind.DEPLOYMENT, ["{}"]),
    ],
    "inland feedback give": [(Kind.RECORD, ["{}", "--thumbs", "up"])],
    "inland feedback list": [(Kind.TENANT, ["--tenant", "{}"])],
    "inland feedback remove": [(Kind.RECORD, ["{}"])],
    "inland feedback show": [(Kind.RECORD, ["{}"])],
    "inland guard list": [],
    "inland guard recognisers": "files",
    "inland guard remove": [],
    "inland guard set": [
        (Kind.TENANT, ["x", "--act", "note", "--find", "card", "--tenant", "{}"]),
        (Kind.DEPLOYMENT, ["x", "--act", "note", "--find", "card", "--deployment", "{}"]),
    ],
    "inland guard test": "files",
    "inland invoice": [(Kind.TENANT, ["--tenant", "{}", "--month", "2026-01"])],
    "inland job list": [(Kind.TENANT, ["--tenant", "{}"])],
    "inland job run": "files",  # an operator's, whose command is behind `--`
    "inland job show": [(Kind.RECORD, ["{}"])],
    "inland job stop": [(Kind.RECORD, ["{}"])],
    "inland line add": "files",  # what it declares is a file's
    "inland line list": [(Kind.TENANT, ["--tenant", "{}"])],
    "inland line pause": [(Kind.LINE, ["{}"])],
    "inland line run": [(Kind.LINE, ["{}"])],
    "inland line show": [(Kind.LINE, ["{}"])],
    "inland run cancel": [(Kind.RUN, ["{}"])],
    "inland run list": [(Kind.TENANT, ["--tenant", "{}"])],
    "inland run logs": [(Kind.RUN, ["{}"])],
    "inland run proof": [(Kind.RUN, ["{}", "-o", "/dev/null"])],
    "inland run resume": [(Kind.RUN, ["{}"])],
    "inland run show": [(Kind.RUN, ["{}"])],
    "inland run statement": [(Kind.RUN, ["{}"])],
    "inland key add": [(Kind.TENANT, ["--tenant", "{}"])],
    "inland key list": [(Kind.TENANT, ["--tenant", "{}"])],
    "inland key revoke": [(Kind.KEY, ["{}"])],
    "inland key rotate": [(Kind.KEY, ["{}"])],
    "inland ledger check": "files",
    "inland ledger rotate-key": [],
    "inland ledger vkey": "files",
    "inland model list": [],
    "inland model pull": [(Kind.MODEL, ["file:/nowhere", "--name", "{}"])],
    "inland model show": [(Kind.MODEL, ["{}"])],
    "inland model verify": "files",
    "inland pilot": "files",  # its factory is its own
    "inland policy apply": "files",
    "inland policy check": "files",
    "inland policy defaults": "files",
    "inland policy explain": [
        (Kind.RECORD, ["{}"]),
        (Kind.TENANT, ["--tenant", "{}", "--deployment", "smollm2"]),
        (Kind.DEPLOYMENT, ["--tenant", "alpha", "--deployment", "{}"]),
        (Kind.ASSET, ["--tenant", "alpha", "--asset", "{}"]),
    ],
    "inland price list": [],
    "inland egress list": [],
    "inland price set": [
        (
            Kind.DEPLOYMENT,
            ["--deployment", "{}", "--prompt", "1", "--completion", "1", "--currency", "EUR"],
        )
    ],
    "inland process revive": "files",  # it asks the supervisor, whose socket is in the home
    "inland receipt get": [(Kind.RECORD, ["{}", "-o", "/dev/null"])],
    "inland receipt open": [(Kind.RECORD, ["{}"])],
    "inland record destroy": [(Kind.TENANT, ["--tenant", "{}", "--before", "2020-01-01"])],
    "inland record export": [(Kind.TENANT, ["--tenant", "{}", "-o", "/dev/null"])],
    "inland release approve": [(Kind.RECORD, ["{}"])],
    "inland release diff": [(Kind.RECORD, ["{}"])],
    "inland release list": [(Kind.TENANT, ["--tenant", "{}"])],
    "inland release proof": [(Kind.RECORD, ["{}", "-o", "/dev/null"])],
    "inland release propose": [
        (Kind.ASSET, ["n", "--adapter", "{}", "--deployment", "smollm2"]),
        (Kind.DEPLOYMENT, ["n", "--adapter", "x", "--deployment", "{}"]),
    ],
    "inland release rollback": [(Kind.RECORD, ["{}"])],
    "inland release show": [(Kind.RECORD, ["{}"])],
    "inland release statement": [(Kind.RECORD, ["{}"])],
    "inland status": "files",  # what it shows beside control's refusal is the supervisor's
    "inland tenant add": [(Kind.TENANT, ["{}"])],
    "inland tenant label": [(Kind.TENANT, ["{}", "--purposes", "serve"])],
    "inland tenant list": [],
    "inland tenant resume": [(Kind.TENANT, ["{}"])],
    "inland tenant suspend": [(Kind.TENANT, ["{}"])],
    "inland backup": "files",
    "inland restore": "files",
    "inland up": "files",
    "inland usage": [(Kind.TENANT, ["--tenant", "{}"])],
    "inland vault check": [],
    "inland vault give-back": [(Kind.TENANT, ["--tenant", "{}"])],
    "inland vault rotate": [],
    "inland vault status": [],
    "inland vault withdraw": [(Kind.TENANT, ["--tenant", "{}"])],
    "inland verify": "files",
    "inland egress prove": "files",
    "inland egress verify": "files",
}


def slots() -> Iterator[str]:
    """Every place where a route takes a value, as the contract has it."""
    document = whole()
    shapes = document["components"]["schemas"]
    for _, _, operation in operations(document):
        name = operation["operationId"]
        for parameter in operation.get("parameters", ()):
            yield f"{name}.{parameter['name']}"
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body is not None:
            for prop in shapes[body["schema"]["$ref"].rpartition("/")[2]]["properties"]:
                yield f"{name}:{prop}"
