"""The pilot's users: questions asked of the gateway, each with a receipt."""

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inland.cli.failures import Failed
from inland.cli.pilot.story import TENANT
from inland.cli.reached import Reached

if TYPE_CHECKING:
    import httpx  # noqa: TID251 - a name for types alone

    from inland.client import FactoryClient

#: How many ask before anybody looks again; what one answer may be.
AT_ONCE, MAX_TOKENS, LIMIT_S, KEY_S = 4, 48, 120.0, 86_400


@dataclass(slots=True)
class Asking:
    """Asks as members of the tenant do, with `task` of the examples."""

    factory: "FactoryClient"
    at: Reached
    tasks: list[dict[str, Any]]
    now_unix_s: int
    asked: int = 0
    failed: int = 0
    _key: str = field(default="", repr=False)

    def users(self, model: str) -> None:
        """Some of them ask something each."""
        for _ in range(AT_ONCE):
            number, self.asked = self.asked, self.asked + 1
            reply = self._post(model, self.tasks[number % len(self.tasks)], f"user-{number}")
            self.failed += reply.status_code != 200

    def one(self, model: str, number: int = 0) -> dict[str, Any]:
        """A question, its answer, and the receipt's reference. Raises Failed."""
        task = self.tasks[number]
        reply = self._post(model, task, "pilot")
        if reply.status_code != 200:
            raise Failed(f"{model} does not answer ({reply.status_code}): {reply.text[:200]}")
        return {
            "question": task["input"][-1]["content"],
            "answer": reply.json()["choices"][0]["message"]["content"],
            "right": task["reference"],
            "receipt": reply.headers["inland-receipt"],
            "entry": reply.headers.get("inland-entry"),
        }

    def _post(self, model: str, task: dict[str, Any], user: str) -> "httpx.Response":
        import httpx  # noqa: TID251 - the factory's own port on this machine

        body = {"model": model, "messages": task["input"], "max_tokens": MAX_TOKENS}
        body |= {"temperature": 0, "user": user}
        headers = {"authorization": f"Bearer {self._own_key()}"}
        trusted: ssl.SSLContext | bool = True
        if self.at.trusted and self.at.certificate is not None:
            trusted = ssl.create_default_context(cafile=self.at.certificate)
        url = f"{self.at.url}/v1/chat/completions"
        with httpx.Client(timeout=LIMIT_S, trust_env=False, verify=trusted) as http:
            return http.post(url, json=body, headers=headers)

    def _own_key(self) -> str:
        """A key of the tenant's that ends by itself."""
        if not self._key:
            wanted = {"tenant": TENANT, "role": "member", "expires": self.now_unix_s + KEY_S}
            self._key = str(self.factory.add_key(wanted)["key"])
        return self._key
