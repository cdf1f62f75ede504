"""What a factory is made of: tenants, keys, models, deployments, replicas, their life cycles."""

from dataclasses import dataclass
from enum import StrEnum

from inland.domain.assets import ASSET
from inland.domain.labels import Label
from inland.domain.places import Place


class Role(StrEnum):
    """What the holder of a key may do. Operators and auditors belong to no tenant."""

    OPERATOR = "operator"
    TENANT_ADMIN = "tenant-admin"
    MEMBER = "member"
    AUDITOR = "auditor"


class EngineKind(StrEnum):
    """The programs that can serve a deployment."""

    __hash__ = str.__hash__  # as its value; an enum's own is Python, and runs at each look-up

    LLAMA_CPP = "llama.cpp"
    VLLM = "vllm"
    OPENAI = "openai"

    def __init__(self, value: str) -> None:
        #: Whether Inland starts it; others exist already.
        self.is_ours = value != "openai"


class Residue(StrEnum):
    """What a request left in the slot of an engine it was sent to."""

    PROMPT = "prompt"  # its prompt and nothing else; nothing more will come of it
    UNKNOWN = "unknown"  # maybe what was there before; nothing more will come of it
    PENDING = "pending"  # it may still be read in


class Feature(StrEnum):
    """Something a deployment may or may not be asked for; `domain/capabilities.py` says which."""

    __hash__ = str.__hash__

    CHAT = "chat"
    SYSTEM = "system"
    TOOLS = "tools"
    TOOL_CHOICE = "tool_choice"
    PARALLEL_TOOL_CALLS = "parallel_tool_calls"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"
    LOGPROBS = "logprobs"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    DIMENSIONS = "dimensions"


class ReplicaState(StrEnum):
    """Where one copy of a deployment is in its life; `REPLICA_LIFE` holds the moves allowed."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"  # it ends what it has and gets no more
    FAILED = "failed"
    STOPPED = "stopped"


#: Allowed moves of a replica. A replica that dies goes back to starting until it is given up; one
#: that drains is not wanted, and works again where it is wanted after all.
REPLICA_LIFE: dict[ReplicaState, frozenset[ReplicaState]] = {
    ReplicaState.STARTING: frozenset(
        {ReplicaState.READY, ReplicaState.FAILED, ReplicaState.STOPPED}
    ),
    ReplicaState.READY: frozenset(
        {
            ReplicaState.STARTING,
            ReplicaState.DRAINING,
            ReplicaState.FAILED,
            ReplicaState.STOPPED,
        }
    ),
    ReplicaState.DRAINING: frozenset(
        {ReplicaState.STARTING, ReplicaState.READY, ReplicaState.STOPPED}
    ),
    ReplicaState.FAILED: frozenset({ReplicaState.STARTING, ReplicaState.STOPPED}),
    ReplicaState.STOPPED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organisation. `label` governs all it sends and is answered. `withdrawn`: it took back the
    keys of its assets, and nothing of it is served until it gives them again."""

    id: str
    label: Label
    suspended: bool = False
    declared: bool = False
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """An API credential. Only `secret_sha256` (64 hex digits) of its secret part is kept.

    `models` empty means every model the tenant may use; `expires_unix_s` None means never;
    `tenant` is None for operators and auditors. `successor`: the id of the key it was rotated to.
    `batch`: what it asks for waits for everybody else's.
    """

    id: str
    tenant: str | None
    role: Role
    secret_sha256: str
    models: tuple[str, ...] = ()
    expires_unix_s: int | None = None
    revoked: bool = False
    declared: bool = False
    created_unix_s: int = 0
    successor: str | None = None
    batch: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """A model asset. `digest`: `sha256:<hex>` of its weights, None where only a server knows.
    `file`: its path below the home, or `asset:ID` of weights that lie in the vault; of these the
    digest is the asset's, `hmac-sha256:<hex>`, which nobody outside its tenant can make.
    `is_adapter`: it is no model by itself, and is served over one that is."""

    id: str
    label: Label
    shared_with: tuple[str, ...]
    digest: str | None
    file: str | None = None
    licence: str | None = None
    declared: bool = False
    is_adapter: bool = False

    @property
    def asset(self) -> str | None:
        """The asset that its weights are, where they lie in the vault."""
        file = self.file or ""
        return file.removeprefix(ASSET) if file.startswith(ASSET) else None


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model being served under `name`, which is its id in `/v1`.

    `slots`: requests the engine works on at once. `context`: tokens per slot. `threads`: what one
    replica computes on side by side, processor threads or, of a vLLM, accelerators. `replicas`:
    with 0 an engine here is kept, and serves nothing. `url`, `upstream_model` and what it
    `supports` are for servers that already exist (`EngineKind.OPENAI`).
    """

    name: str
    engine: EngineKind
    model: str
    place: Place
    slots: int = 8
    context: int = 2048
    threads: int = 1
    replicas: int = 1
    url: str | None = None
    upstream_model: str | None = None
    declared: bool = False
    supports: tuple[Feature, ...] = ()


@dataclass(frozen=True, slots=True)
class Replica:
    """One copy of a deployment. `address`: a unix socket's path, or the URL of an upstream.

    `isolation`: what holds its process in; records repeat it. An upstream's is unknown: `none`.
    `template`: what its chat template was seen to have; None until it was ready for the first time.
    `adapters`: the models its engine has over its own, and asks for by their place here.
    """

    id: str
    deployment: str
    state: ReplicaState
    address: str
    place: Place
    isolation: str = "none"
    template: tuple[Feature, ...] | None = None
    adapters: tuple[str, ...] = ()
