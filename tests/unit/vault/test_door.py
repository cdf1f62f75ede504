"""The vault's servers are reached through control's one door: counted, rechecked with the rest."""

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.egress.uses import Use
from inland.adapters.home.factory_toml import Declaration
from inland.adapters.home.layout import Home
from inland.adapters.home.vault_table import BlobsIn, KeysBy, VaultSaid
from inland.bootstrap.vault import open_vault
from inland.domain.places import Place
from inland.plant.vault import Parts
from inland.ports.blobs import BlobsAway
from inland.ports.keys import KeysAway
from tests.contract.egress.certificates import certificate


@dataclass
class Allowing:
    """What the policy set says now."""

    rules: tuple[str, ...] = ("rule",)

    def __call__(self, host: str, port: int, inside: bool) -> tuple[str, ...]:
        return self.rules


@dataclass
class Silent:
    """A server that takes connections and answers nothing."""

    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"


@pytest.fixture
def silent():
    made = Silent()
    made.listener.settimeout(30)
    yield made
    made.listener.close()


def said(tmp_path, endpoint: str, scheme: str = "http", **more) -> VaultSaid:
    token, key = tmp_path / "token", tmp_path / "s3"
    token.write_text("t" * 32)
    key.write_text("access-key-of-a-test\nsecret-key-of-a-test\n")
    for file in (token, key):
        file.chmod(0o600)
    return VaultSaid(
        keys=KeysBy.OPENBAO,
        key_server=f"{scheme}://{endpoint}",
        key_server_token_file=token,
        blobs=BlobsIn.S3,
        s3_endpoint=f"{scheme}://{endpoint}",
        s3_bucket="bucket",
        s3_key_file=key,
        **more,
    )


def opened(tmp_path, told: VaultSaid, door: BlockingDoor) -> Parts:
    declared = Declaration(Place("local", "DE", "DE"), vault=told)
    return open_vault(Home(tmp_path), declared, None, door, lambda _: ("local",))


def test_what_the_vault_asks_for_is_on_the_doors_books(tmp_path, silent):
    door = BlockingDoor(Allowing(()))
    parts = opened(tmp_path, said(tmp_path, silent.endpoint), door)
    with pytest.raises(KeysAway):
        parts.keys.withdrawn()
    with pytest.raises(BlobsAway):
        parts.blobs.get("parts/a/00000000")
    assert {Use(silent.endpoint, "keys", ()), Use(silent.endpoint, "blobs", ())} <= set(
        door.uses.counts()
    )


def test_a_connection_to_a_key_server_of_a_named_authority_ends_when_policy_closes_it(
    tmp_path, silent
):
    cert, _ = certificate(tmp_path, "127.0.0.1")
    allowing = Allowing()
    door = BlockingDoor(allowing)
    told = said(tmp_path, silent.endpoint, "https", key_server_ca=cert)
    keys = opened(tmp_path, told, door).keys

    def ask() -> None:
        with suppress(KeysAway):
            keys.withdrawn()

    asking = threading.Thread(target=ask)
    asking.start()
    taken, _ = silent.listener.accept()
    with taken:
        taken.settimeout(30)
        assert taken.recv(1), "it greets"
        allowing.rules = ()
        door.recheck()
        while taken.recv(65_536):
            pass
    asking.join(30)
