"""Acts that are killed half way while keys lie on a real OpenBao server: what the server did and
what the books say is one, or is made one by the next start.

A factory key there is none, and so no rotation of it; a withdrawal is what changes there most.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.egress.calls import Calls
from inland.adapters.egress.door import origin
from inland.adapters.vault.openbao_keys import OpenBaoKeys
from inland.domain.errors import InlandError
from inland.ports.keys import KeyWithdrawn
from tests.chaos import asset_kills
from tests.chaos.fuse import Act, Fuse
from tests.servers import openbao
from tests.servers.openbao import OpenBao
from tests.unit.assets.world import World

#: A series over a server, whose homes are made anew for each.
KILLS = 20
CALL_S = 30.0
HERE = "127.0.0.1"
Do = Callable[[Path, Fuse], object]
Ended = Callable[[Path], str]
Used = TypeVar("Used")


class KeyServer:
    """One server while it is `standing`, and a transit engine of its own for each home."""

    def __init__(self) -> None:
        self._server: OpenBao | None = None
        self._calls = ExitStack()

    @contextmanager
    def standing(self) -> Iterator[None]:
        with tempfile.TemporaryDirectory() as folder, openbao.running(Path(folder)) as server:
            self._server = server
            yield

    def make(self, home: Path) -> None:
        """A home with assets; where their keys lie stands beside it."""
        assert self._server is not None
        where = (self._server.url, *self._server.mount())
        (home.parent / "where").write_text("\n".join(where))
        self.lent(partial(asset_kills.made, home, self.opened))

    def opened(self, home: Path) -> World:
        """As control does that starts."""
        url, mount, token = (home.parent / "where").read_text().split()
        door = BlockingDoor(lambda host, port, inside: ("test",) if host == HERE else ())
        calls = Calls(door, "keys", origin(url), CALL_S)
        self._calls.callback(calls.close)
        return World(home, kept_keys=OpenBaoKeys(calls, lambda: token, mount))

    def lent(self, use: Callable[[], Used]) -> Used:
        """What `use` comes to; whatever it opened is closed."""
        try:
            return use()
        finally:
            self._calls.close()


def withdraw(server: KeyServer, home: Path, fuse: Fuse) -> None:
    world = server.opened(home)
    fuse.lay()
    world.plant.vault_room.withdraw("op", "acme")


def broken_withdrawal(server: KeyServer, home: Path) -> list[str]:
    """Withdrawn with both, or with neither; and given back, everything opens."""
    world = server.opened(home)
    room = world.plant.vault_room
    try:
        room.look_at_keys()
        here, there = "acme" in room.status().withdrawn, "acme" in world.plant.kept_keys.withdrawn()
        told = [] if here == there else [f"withdrawn here: {here}, on the server: {there}"]
        if here:
            told += _opened_though_withdrawn(world)
            room.give_back("op", "acme")
        names = sorted(str(one.name) for one in world.plant.assets.all(world.admin))
        content = [world.read(asset_kills.named(world, name)) for name in names]
        if content != [asset_kills.CONTENT] * 2:
            told.append(f"{names} are not whole when given back")
        return told
    except InlandError as error:
        return [f"it does not go on: {error}"]
    finally:
        world.plant.store.close()


def _opened_though_withdrawn(world: World) -> list[str]:
    with world.plant.store.read() as transaction:
        rows = transaction.assets.assets(None)
    told = []
    for row in rows:
        try:
            world.plant.vault.digest_key(row.tenant)
        except KeyWithdrawn:
            continue
        told.append(f"a key of {row.tenant} is had though withdrawn")
    return told


def ended_withdrawal(home: Path) -> str:
    world = World(home)  # its books alone are asked
    try:
        said = [one["what"] for one in world.plant.records()]
    finally:
        world.plant.store.close()
    return next((one for one in ("vault.withdraw",) if one in said), "not withdrawn")


def _act(server: KeyServer, do: Do, broken: Callable[[Path], list[str]], ended: Ended) -> Act:
    def lent(home: Path) -> list[str]:
        return server.lent(lambda: broken(home))

    return Act(
        *(server.make, do, lent, ended),
        is_made_anew=True,
        standing=server.standing,
        kills=KILLS,
    )


def _acts(server: KeyServer) -> Iterator[tuple[str, Act]]:
    for act in asset_kills.DONE:
        do = partial(asset_kills.do, act, opened=server.opened)
        broken = partial(asset_kills.broken, act, opened=server.opened)
        yield f"openbao-{act}", _act(server, do, broken, asset_kills.ended)
    do, broken = partial(withdraw, server), partial(broken_withdrawal, server)
    yield "openbao-withdraw", _act(server, do, broken, ended_withdrawal)


ACTS = dict(_acts(KeyServer()))
