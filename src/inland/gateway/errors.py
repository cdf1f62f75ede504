"""Refusals on the token path, as OpenAI's error objects with the right HTTP status."""

from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

import msgspec

from inland.domain.budgets import OVER_BUDGET
from inland.domain.errors import InlandError

AUTHENTICATION = "authentication_error"
PERMISSION = "permission_error"
INVALID = "invalid_request_error"
RATE = "rate_limit_error"
SERVER = "server_error"
#: Characters of a refusal that may come from what was sent.
_TOLD = 400


@dataclass(eq=False)
class Refused(InlandError):
    """What the caller is told, and `rules`, which its record keeps (in order, policy ids)."""

    status: int
    type: str
    code: str | None
    message: str
    param: str | None = None
    retry_after_s: int | None = None
    rules: tuple[str, ...] = ()
    allow: str | None = None  # the methods that would do

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"

    def body(self) -> bytes:
        """The error object."""
        return msgspec.json.encode(
            {
                "error": {
                    "message": self.message,
                    "type": self.type,
                    "param": self.param,
                    "code": self.code,
                }
            }
        )

    def problem(self) -> bytes:
        """The same as RFC 9457 has it, for what is not the token path."""
        title = HTTPStatus(self.status).phrase
        told = {"type": "about:blank", "title": title, "status": self.status}
        return msgspec.json.encode(told | {"detail": self.message})


def unknown_key() -> Refused:
    """One text for a missing, malformed, unknown or wrong key."""
    return Refused(401, AUTHENTICATION, "invalid_api_key", "Incorrect API key provided.")


def ended_key(how: str) -> Refused:
    """A key that was right once."""
    return Refused(
        401, AUTHENTICATION, f"{how}_api_key", f"This API key is {how}; ask for another."
    )


def suspended(tenant: str) -> Refused:
    return Refused(
        403,
        PERMISSION,
        "tenant_suspended",
        f"Tenant {tenant} is suspended; its operator can resume it.",
    )


def withdrawn(tenant: str) -> Refused:
    return Refused(
        403,
        PERMISSION,
        "keys_withdrawn",
        f"Tenant {tenant} has withdrawn its keys; it can give them back (inland vault give-back).",
    )


def not_for_models(role: str) -> Refused:
    return Refused(
        403,
        PERMISSION,
        "key_of_no_tenant",
        f"This key's role is {role}, which belongs to no tenant; use a tenant's key for /v1.",
    )


def no_such_model(name: str) -> Refused:
    """The same for a model that does not exist and for one the caller may not see."""
    shown = name if len(name) <= 64 and name.isprintable() else name[:64].encode().hex()
    return Refused(
        404,
        INVALID,
        "model_not_found",
        f"The model `{shown}` does not exist or you do not have access to it.",
        "model",
    )


def denied(model: str, rules: tuple[str, ...], remedy: str) -> Refused:
    by = ", ".join(rules) if rules else "no rule allows it"
    return Refused(
        403,
        PERMISSION,
        "policy_denied",
        f"Using `{model}` is refused ({by}); {remedy}",
        "model",
        rules=rules,
    )


def invalid(param: str | None, message: str, code: str | None = None) -> Refused:
    """Names a caller chose are told in part where they are long."""
    told = message if len(message) <= _TOLD else f"{message[:_TOLD]}…"
    return Refused(400, INVALID, code, told, param if param is None else param[:_TOLD])


def bad_request(message: str) -> Refused:
    """What is not HTTP as we take it."""
    return Refused(400, INVALID, "bad_request", message)


def too_large(what: str, limit: int) -> Refused:
    return Refused(413, INVALID, "too_large", f"The {what} is larger than {limit} bytes.")


def queue_full(retry_after_s: int) -> Refused:
    return Refused(
        429,
        RATE,
        "queue_full",
        "Too many of your requests wait for this model; send fewer at once.",
        retry_after_s=retry_after_s,
    )


def too_late(retry_after_s: int) -> Refused:
    return Refused(
        429,
        RATE,
        "would_wait_too_long",
        "At the pace this model was measured to have, what you have waiting would not be served in "
        "time; send fewer at once.",
        retry_after_s=retry_after_s,
    )


def over_budget(budget: str, ends_unix_s: int, retry_after_s: int, *, under_way: bool) -> Refused:
    """As OpenAI says it. `under_way`: it is not spent, but held by requests that are not over."""
    ends = datetime.fromtimestamp(ends_unix_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    why = "is held by requests under way; try again" if under_way else "is used up"
    text = f"Your budget of {budget} {why}. It begins anew at {ends}."
    return Refused(429, OVER_BUDGET, OVER_BUDGET, text, retry_after_s=retry_after_s)


def unavailable(code: str, message: str, retry_after_s: int = 1) -> Refused:
    return Refused(503, SERVER, code, message, retry_after_s=retry_after_s)


def too_many_bodies() -> Refused:
    return unavailable("too_many_bodies", "Too much text is being received or waits already.")


def no_lease(refused: str = "") -> Refused:
    """`refused`: that control and the gateway differ; callers are not told how."""
    if refused:
        return unavailable(
            "versions_differ",
            "The gateway and the factory's control are of versions that do not fit each other; "
            "the operator has to restart the factory.",
            30,
        )
    return unavailable(
        "no_lease", "The gateway has lost touch with the factory's control and serves nothing."
    )


def disk_full() -> Refused:
    return unavailable(
        "journal_full",
        "The journal's disk is full or takes no writes; nothing can be recorded.",
        30,
    )


def engine_failed(message: str = "The engine answered with an error.") -> Refused:
    return Refused(502, SERVER, "engine_failed", message)


def internal() -> Refused:
    return Refused(500, SERVER, "internal_error", "The gateway failed; its log says where.")


def timed_out(total_s: float) -> Refused:
    return Refused(504, SERVER, "timeout", f"Not answered within {total_s:.0f} s.")


def not_allowed(method: str) -> Refused:
    return Refused(405, INVALID, "method_not_allowed", f"Use {method} here.", allow=method)


def no_such_path() -> Refused:
    return Refused(404, INVALID, "unknown_url", "There is nothing at this path; see /v1/models.")
