"""What a deployment can be asked: a table of engine × chat template, one feature a row.

A feature the engine has and the template must have too holds where both do. What an engine here can
do is measured on its running replica; what a server elsewhere can do is declared. Anything outside
the table is refused by the name of its field.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from inland.domain.plant import Deployment, EngineKind, Feature, Replica


class Known(StrEnum):
    """Whether a deployment has a feature; `UNKNOWN` until its first replica was ready."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


#: Features that an engine has only where the model's chat template has them.
OF_TEMPLATE = frozenset(
    {
        Feature.SYSTEM,
        Feature.TOOLS,
        Feature.TOOL_CHOICE,
        Feature.PARALLEL_TOOL_CALLS,
    }
)

#: What an engine can do, its adapter included, given a template that has it all. A vLLM takes tools
#: only with a parser chosen for the model, and makes text or vectors, not both.
OF_ENGINE: dict[EngineKind, frozenset[Feature]] = {
    EngineKind.LLAMA_CPP: frozenset(Feature) - {Feature.DIMENSIONS},
    EngineKind.VLLM: frozenset(
        {
            Feature.CHAT,
            Feature.SYSTEM,
            Feature.JSON_OBJECT,
            Feature.JSON_SCHEMA,
            Feature.LOGPROBS,
            Feature.COMPLETIONS,
        }
    ),
    EngineKind.OPENAI: frozenset(Feature),
}

#: What a server elsewhere is taken to do unless its operator declares more or less.
OF_UPSTREAM = (Feature.CHAT, Feature.SYSTEM, Feature.LOGPROBS)

#: What each feature is, for people.
MEANING: dict[Feature, str] = {
    Feature.CHAT: "/v1/chat/completions",
    Feature.SYSTEM: "messages of the role system or developer",
    Feature.TOOLS: "tools, and messages that carry calls or their results",
    Feature.TOOL_CHOICE: "tool_choice: required, or one function by name",
    Feature.PARALLEL_TOOL_CALLS: "several calls in one answer",
    Feature.JSON_OBJECT: "response_format: json_object",
    Feature.JSON_SCHEMA: "response_format: json_schema",
    Feature.LOGPROBS: "logprobs",
    Feature.COMPLETIONS: "/v1/completions",
    Feature.EMBEDDINGS: "/v1/embeddings",
    Feature.DIMENSIONS: "dimensions of an embedding",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a deployment's table: whether it has the feature, and who says so."""

    feature: Feature
    known: Known
    because: str


def table(deployment: Deployment, replicas: Iterable[Replica]) -> list[Row]:
    """The deployment's table, a row for every feature there is."""
    if deployment.engine is EngineKind.OPENAI:
        return [_declared(feature, deployment.supports) for feature in Feature]
    template = measured(deployment, replicas)
    return [_here(feature, deployment.engine, template) for feature in Feature]


def known(deployment: Deployment, replicas: Iterable[Replica]) -> dict[Feature, Known]:
    """The same without the reasons."""
    return {row.feature: row.known for row in table(deployment, replicas)}


def measured(deployment: Deployment, replicas: Iterable[Replica]) -> frozenset[Feature] | None:
    """What every replica's template was seen to have; None before the first was ready."""
    found = [
        frozenset(one.template)
        for one in replicas
        if one.deployment == deployment.name and one.template is not None
    ]
    return frozenset.intersection(*found) if found else None


def _declared(feature: Feature, supports: tuple[Feature, ...]) -> Row:
    return Row(feature, Known.YES if feature in supports else Known.NO, "declared")


def _here(feature: Feature, engine: EngineKind, template: frozenset[Feature] | None) -> Row:
    if feature not in OF_ENGINE[engine]:
        return Row(feature, Known.NO, "engine")
    if feature not in OF_TEMPLATE:
        return Row(feature, Known.YES, "engine")
    if template is None:
        return Row(feature, Known.UNKNOWN, "no replica has been ready yet")
    return Row(feature, Known.YES if feature in template else Known.NO, "chat template")
