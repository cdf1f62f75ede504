"""The one table of limits: each with its default, its least and most, its unit and why it is.

`factory.toml` is written and read from it, docs/reference.md is made of it, and whoever keeps a
limit is handed the value. Durations and sizes have their unit last in the name; counts have none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from inland.domain.errors import BadInput

KIB = 1024
MIB = 1024 * KIB


def _limit(default: int, least: int, most: int, unit: str, why: str) -> Any:
    return field(default=default, metadata={"least": least, "most": most, "unit": unit, "why": why})


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one factory. `of` checks them; what is made without it is a test's."""

    # -- one connection
    connections: int = _limit(1024, 1, 65_536, "connections", "callers connected to one gateway")
    connections_refused: int = _limit(
        256, 0, 65_536, "connections", "beyond these, how many are told so; more are cut"
    )
    connections_per_tenant: int = _limit(
        768, 1, 65_536, "connections", "of these, how many one tenant may hold"
    )
    source_connections: int = _limit(
        512, 1, 65_536, "connections", "of these, from one address (an IPv6 /64)"
    )
    source_failures_per_minute: int = _limit(
        60, 1, 1_000_000, "failures", "keys that do not work, from one address; one that does, does"
    )
    sources: int = _limit(
        65_536, 16, 1_048_576, "addresses", "whose failures one gateway keeps apart"
    )
    handshakes: int = _limit(256, 1, 65_536, "handshakes", "TLS, under way at one gateway")
    handshake_s: float = _limit(10, 1, 300, "seconds", "a TLS handshake must have ended within")
    target_bytes: int = _limit(8 * KIB, 64, MIB, "bytes", "path and query of one request")
    header_bytes: int = _limit(32 * KIB, KIB, MIB, "bytes", "target and headers of one request")
    headers: int = _limit(100, 8, 10_000, "headers", "header lines of one request")
    body_bytes: int = _limit(4 * MIB, KIB, 256 * MIB, "bytes", "body of one request")
    bodies_bytes: int = _limit(
        256 * MIB,
        MIB,
        65_536 * MIB,
        "bytes",
        "bodies being received by one gateway, and again held, a tenant no more than is left",
    )
    requests_ahead: int = _limit(
        16, 1, 1024, "requests", "read from one connection before the one before is answered"
    )
    header_s: float = _limit(
        10, 1, 600, "seconds", "a request's head must have arrived within this"
    )
    body_s: float = _limit(30, 1, 3600, "seconds", "and its body within this")
    idle_s: float = _limit(75, 1, 3600, "seconds", "a connection without a request is closed after")
    stall_s: float = _limit(30, 1, 3600, "seconds", "a caller that reads nothing is cut after")
    stall_bytes: int = _limit(
        4 * KIB, 1, MIB, "bytes", "it must read in that time, while an answer waits for it"
    )
    write_buffer_bytes: int = _limit(
        256 * KIB, 4 * KIB, 64 * MIB, "bytes", "written to one caller before its engine must wait"
    )
    linger_bytes: int = _limit(
        32 * MIB, 64 * KIB, 1024 * MIB, "bytes", "read and thrown away so that a refusal arrives"
    )
    linger_s: float = _limit(10, 1, 600, "seconds", "for how long, in all")
    linger_quiet_s: float = _limit(2, 1, 60, "seconds", "and for how long when nothing comes")

    # -- one request
    json_depth: int = _limit(64, 4, 128, "levels", "lists and objects inside one another")
    json_items: int = _limit(
        65_536, 64, 1 << 24, "items", "members of all lists and objects of a body"
    )
    messages: int = _limit(4096, 1, 65_536, "messages", "in one chat request")
    texts: int = _limit(256, 1, 4096, "texts", "to embed, or prompts, in one request")
    tools: int = _limit(128, 0, 1024, "tools", "in one chat request")
    schema_items: int = _limit(
        512, 16, 65_536, "items", "members of one JSON schema, every $ref in it written out"
    )
    tools_items: int = _limit(4096, 16, 1 << 20, "items", "of the schemas of all tools, likewise")
    choices: int = _limit(8, 1, 128, "choices", "answers to one request (n)")
    answer_tokens: int = _limit(
        8192,
        1,
        1_048_576,
        "tokens",
        "in one answer, whether max_tokens asks for them or is left out",
    )
    stops: int = _limit(4, 1, 64, "sequences", "stop sequences of one request")
    stop_characters: int = _limit(256, 1, 4096, "characters", "of one stop sequence")
    queue: int = _limit(
        256, 0, 65_536, "requests", "of one tenant waiting, per deployment and gateway"
    )
    queue_total: int = _limit(4096, 0, 1 << 20, "requests", "of all tenants, likewise")
    queue_s: float = _limit(60, 1, 3600, "seconds", "a request waits for the engine at most this")
    overtakes: int = _limit(8, 0, 1024, "turns", "a request that fits nowhere yet is passed over")
    answer_s: float = _limit(600, 1, 86_400, "seconds", "an answer must have ended within this")
    attempts: int = _limit(
        3, 1, 16, "engines", "that may die under a request before its first token"
    )
    rest_ms: int = _limit(
        250, 0, 60_000, "milliseconds", "a replica that failed gets no request for"
    )

    # -- what goes to control
    relayed: int = _limit(32, 2, 512, "requests", "with control at once, per gateway")
    relayed_per_caller: int = _limit(
        8, 1, 512, "requests", "of these, of one tenant, of the operators, or of all without a key"
    )
    relay_queue: int = _limit(256, 0, 65_536, "requests", "waiting for control, per gateway")
    relay_queue_per_caller: int = _limit(64, 0, 65_536, "requests", "of these, of one such caller")
    relay_s: float = _limit(60, 1, 3600, "seconds", "until control begins to answer")
    relay_whole_bytes: int = _limit(
        256 * KIB, 0, 64 * MIB, "bytes", "shorter answers of control are sent with their length"
    )
    control_body_bytes: int = _limit(
        8 * MIB,
        KIB,
        256 * MIB,
        "bytes",
        "body of a request that control answers: as many parts of an asset, 4 MiB each, as fit",
    )

    # -- the factory
    refusals_per_tenant: int = _limit(
        64, 1, 4096, "kinds", "of refusal kept apart in the records of one second"
    )
    rulings: int = _limit(100_000, 1, 1 << 24, "decisions", "remembered within one snapshot")
    upstream_connect_s: float = _limit(
        10, 1, 300, "seconds", "reaching a server that already exists"
    )
    drain_s: float = _limit(
        30, 1, 600, "seconds", "answers under way get, when the factory stops or their replica does"
    )
    tenants: int = _limit(1024, 1, 65_536, "tenants", "in one factory")
    keys: int = _limit(65_536, 1, 1_048_576, "keys", "in one factory, revoked ones included")
    deployments: int = _limit(256, 1, 4096, "deployments", "in one factory")
    models: int = _limit(1024, 1, 65_536, "models", "in one factory")
    contracts: int = _limit(4096, 0, 65_536, "contracts", "in force in one factory")
    prices: int = _limit(4096, 1, 65_536, "prices", "in one factory, past ones included")
    budgets: int = _limit(4096, 1, 65_536, "budgets", "in one factory")
    assets: int = _limit(65_536, 1, 1 << 24, "assets", "in one factory, erased ones apart")
    assets_per_tenant: int = _limit(16_384, 1, 1 << 24, "assets", "of these, of one tenant")
    uploads_per_tenant: int = _limit(64, 1, 65_536, "uploads", "of one tenant under way")
    exports_per_tenant: int = _limit(
        64, 1, 65_536, "exports", "by one tenant's keys under way, or by the operators'"
    )
    upload_s: int = _limit(
        86_400, 60, 30 * 86_400, "seconds", "an upload nobody goes on with is removed after"
    )
    guards: int = _limit(64, 1, 256, "guards", "in one factory")
    classifier_characters: int = _limit(
        1000,
        100,
        100_000,
        "characters",
        "of a text that a guard's classifier is asked about at once",
    )
    classifier_questions: int = _limit(
        256,
        1,
        65_536,
        "questions",
        "to guards' classifiers about one request, and again its answer",
    )
    classifier_asks: int = _limit(
        16, 1, 4096, "questions", "to classifiers under way at one gateway; others wait"
    )
    classifier_s: float = _limit(
        30, 1, 600, "seconds", "a question, waiting included; then it has no answer"
    )
    jobs: int = _limit(4, 0, 256, "jobs", "under way in one factory")
    job_s: int = _limit(86_400, 1, 90 * 86_400, "seconds", "a job must have ended within this")
    job_grace_s: int = _limit(
        5, 0, 600, "seconds", "between asking a job to end, stopped or late, and killing it"
    )
    job_memory_bytes: int = _limit(
        32 * 1024 * MIB,
        64 * MIB,
        1 << 50,
        "bytes",
        "each process of a job may take, all together may hold, and it may write under /tmp",
    )
    job_output_bytes: int = _limit(
        16 * MIB, 0, 1024 * MIB, "bytes", "kept of what a job prints, in memory until it ends"
    )

    lines_per_tenant: int = _limit(64, 0, 4096, "lines", "production lines of one tenant")
    runs: int = _limit(2, 0, 64, "runs", "of production lines under way in one factory")
    runs_kept: int = _limit(
        100, 1, 10_000, "runs", "of one line that are over and still shown; their records stay"
    )
    run_log_lines: int = _limit(1000, 10, 100_000, "lines", "kept of one run's log, the newest")
    feedback_per_tenant: int = _limit(
        10_000, 0, 1_000_000, "answers", "of one tenant that something was said of"
    )
    feedback_bytes: int = _limit(
        32 * KIB, KIB, MIB, "bytes", "of one correction with what was asked, as it is sealed"
    )
    feedback_per_minute: int = _limit(
        600, 1, 1_000_000, "answers", "that one tenant says something of, in a minute of the clock"
    )
    suite_tasks: int = _limit(
        5000, 1, 1_000_000, "tasks", "of one evaluation suite that a run asks its model"
    )
    training_file_bytes: int = _limit(
        2048 * MIB,
        MIB,
        1 << 50,
        "bytes",
        "of each of the four files in memory that a training writes: two checkpoints, two adapters",
    )

    jobs_kept: int = _limit(
        100, 1, 4096, "jobs", "fine-tuning jobs of one tenant that are over and still shown"
    )
    batches: int = _limit(64, 0, 4096, "batches", "under way in one factory")
    batches_per_tenant: int = _limit(8, 0, 4096, "batches", "of these, of one tenant")
    batches_kept: int = _limit(
        1000, 1, 100_000, "batches", "of one tenant that are over and still shown"
    )
    batch_requests: int = _limit(50_000, 1, 1_000_000, "requests", "in one batch")
    batch_at_once: int = _limit(
        4, 1, 256, "requests", "of one batch asked at once, after what anybody else asks"
    )

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Limits":
        """The limits somebody set, defaults for the rest. Raises BadInput naming the limit."""
        known = {limit.name: limit.metadata for limit in fields(cls)}
        for name, value in said.items():
            if name not in known:
                raise BadInput("limits", f"there is no setting {name}")
            least, most = known[name]["least"], known[name]["most"]
            if type(value) is not int or not least <= value <= most:
                bounds = f"between {least} and {most} ({known[name]['unit']})"
                raise BadInput(f"limits.{name}", f"must be a whole number {bounds}")
        return cls(**said)


def commented() -> str:
    """The `[limits]` of a new factory.toml: each with its default, commented out."""
    lines = []
    for limit in fields(Limits):
        setting = f"# {limit.name} = {limit.default}"
        lines.append(f"{setting:<36} # {limit.metadata['unit']}: {limit.metadata['why']}")
    return "\n".join(lines) + "\n"
