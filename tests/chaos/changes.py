"""Changes that take rights away, made without pause; one that returned holds on every gateway."""

import random
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from inland.client import FactoryClient
from inland.domain.errors import InlandError
from tests.chaos.beside import Beside
from tests.factory.running import MODEL, Running
from tests.patience import until

BYSTANDER = "bystander"
#: Connections on which a change is tried: the kernel spreads them over the gateways.
CONNECTIONS = 12
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hi."}], "max_tokens": 1}
CLOSED = """@id("closed")
@remedy("wait until it is opened again")
forbid (principal is Key, action, resource is Model)
when { principal.tenant.name == "bystander" };
"""
PAUSE_S = 0.3


@dataclass
class Changes(Beside):
    """One thread; `made` counts changes that returned, `lost` those that did not."""

    factory: Running
    seed: int
    made: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    broken: list[str] = field(default_factory=list)

    def go_on(self) -> None:
        dice = random.Random(self.seed)
        steps = (self._revoke, self._suspend, self._close)
        while not self.over.wait(PAUSE_S):
            step = dice.choice(steps)
            try:
                with self._client() as client:
                    step(client)
            except (InlandError, httpx.HTTPError, OSError):
                self.lost += 1  # it did not return, so it promised nothing
            else:
                self.made[step.__name__[1:]] = self.made.get(step.__name__[1:], 0) + 1

    def _client(self) -> FactoryClient:
        socket = self.factory.home / "run" / "control.sock"
        return FactoryClient(socket, self.factory.operator_key)

    def _revoke(self, client: FactoryClient) -> None:
        told = client.add_key({"tenant": BYSTANDER, "role": "member"})
        client.revoke_key(told["id"])
        self._refused("a revoked key", told["key"], 401)

    def _suspend(self, client: FactoryClient) -> None:
        client.suspend_tenant(BYSTANDER)
        self._refused("a suspended tenant", self.factory.keys[BYSTANDER], 403)
        client.resume_tenant(BYSTANDER)

    def _close(self, client: FactoryClient) -> None:
        files = {k: v for k, v in client.policies()["files"].items() if k != "closed.cedar"}
        client.apply_policies(files | {"closed.cedar": CLOSED})
        self._refused("a closed policy", self.factory.keys[BYSTANDER], 403)
        client.apply_policies(files)

    def _refused(self, what: str, key: str, status: int) -> None:
        """Every gateway refuses it, or refuses everybody for now."""
        headers = {"authorization": f"Bearer {key}"}
        for _ in range(CONNECTIONS):
            try:
                with self.factory.http(trust_env=False) as http:
                    answer = http.post("/v1/chat/completions", headers=headers, json=CHAT)
            except httpx.HTTPError:
                continue  # it died under us
            if answer.status_code not in {status, 503}:
                self.broken.append(f"{what} got {answer.status_code}: {answer.text[:200]}")

    def open_again(self) -> None:
        """Whatever the last change left half done is undone."""

        def opened() -> bool:
            with suppress(InlandError, httpx.HTTPError, OSError), self._client() as client:
                files = client.policies()["files"]
                client.apply_policies({k: v for k, v in files.items() if k != "closed.cedar"})
                client.resume_tenant(BYSTANDER)
                return True
            return False

        until(opened, "no change can be made any more")
