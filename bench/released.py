"""A factory whose tenants have a release each, over one deployment: adapters of random weights."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.noisy_neighbour import MODEL, Factory
from bench.streams import Endpoint
from inland.adapters.home.layout import Home
from inland.cli.asset_content import uploaded
from inland.client import FactoryClient
from tests.lora import SHAPES, adapter

#: Of every second adapter each. All matrices of a block are adapted, as training does it.
RANKS = (8, 16)
STRENGTH = 0.08
#: What a tenant's release is called, each the same.
NAME = "notes"
LIVE_S = 300.0


def adapters(folder: Path, count: int, seed: int) -> list[Path]:
    """Files of so many adapters, no two alike."""
    folder.mkdir()
    return [
        adapter(
            folder / f"{number}.gguf",
            seed * 1000 + number,
            STRENGTH,
            rank=RANKS[number % len(RANKS)],
            matrices=tuple(SHAPES),
        )
        for number in range(count)
    ]


class Released(Factory):
    """The factory, asked as its operator."""

    def __init__(self, slots: int, context: int, home: Path, **limits: int) -> None:
        super().__init__(slots, context, home, **limits)
        at = Home(home)
        self._sockets = at.control_socket.parent
        self.client = FactoryClient(at.control_socket, at.operator_key.read_text("ascii").strip())

    def tenants(self, count: int) -> list[Endpoint]:
        """So many new tenants' ways in, to a release of each that is not there yet."""
        found = []
        for number in range(count):
            name = f"t{number}"
            self.client.add_tenant(name, {})
            key = self.client.add_key({"tenant": name, "role": "member"})["key"]
            found.append(Endpoint(self._port, NAME, key))
        return found

    def propose(self, tenant: str, file: Path, name: str = NAME) -> dict[str, Any]:
        """A release of an adapter, which is added as an asset."""
        wanted = {"tenant": tenant, "kind": "adapter", "name": f"{name}-{file.stem}"}
        more = {"title": "", "run": "", "parents": [], "label": {}}
        asset = uploaded(self.client, file, {**wanted, **more})["id"]
        body = {"name": name, "deployment": MODEL, "adapter": asset}
        return self.client.propose_release(
            {**body, "pace": {}, "evidence": {"code": "", "gate": "", "data": []}}
        )

    def approve(self, *releases: str) -> None:
        """Returns once all of them are live and one engine is left."""
        for one in releases:
            self.client.approve_release(one)
        self.settled(*releases)

    def settled(self, *releases: str) -> None:
        """Wait until these are live and one engine is left, which has their adapters."""
        end, states = time.monotonic() + LIVE_S, dict[str, str]()
        while time.monotonic() < end:
            states = {one["id"]: one["state"] for one in self.client.releases(None)}
            live = all(states[one] == "live" for one in releases)
            if live and len(self.replicas()) == len(self.engines()) == 1:
                return
            time.sleep(0.1)
        raise SystemExit(f"not live in {LIVE_S} s: {[states[one] for one in releases]}")

    def replicas(self) -> list[dict[str, Any]]:
        """Those of the deployment, whatever their state."""
        found: list[dict[str, Any]] = self.client.deployment(MODEL)["replicas"]
        return found

    def engines(self) -> dict[str, int]:
        """Pids of the engines' processes, by name."""
        told = self.client.status()["processes"]
        return {one["name"]: one["pid"] for one in told if one["role"] == "engine" and one["pid"]}

    @property
    def engine(self) -> str:
        """The one engine's own socket."""
        (found,) = self._sockets.glob("engine-*.sock")
        return str(found)


@contextmanager
def released(slots: int, context: int, home: Path, **limits: int) -> Iterator[Released]:
    """It runs inside the block."""
    factory = Released(slots, context, home, **limits)
    try:
        yield factory
    finally:
        factory.run("down")
