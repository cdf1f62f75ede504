"""Every keeper of keys and every blob store there is, and vaults over them."""

import time
from collections.abc import Callable

import pytest

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.egress.calls import Calls
from inland.adapters.egress.door import origin
from inland.adapters.files.disk import Disk
from inland.adapters.files.forgetful import ForgetfulDisk
from inland.adapters.vault.embedded_keys import EmbeddedKeys
from inland.adapters.vault.folder_blobs import FolderBlobs
from inland.adapters.vault.openbao_keys import OpenBaoKeys
from inland.adapters.vault.placed_blobs import Placed, PlacedBlobs
from inland.adapters.vault.rest import Rest
from inland.adapters.vault.s3_blobs import Patience, S3Blobs
from inland.adapters.vault.sealed_vault import SealedVault
from inland.domain.places import Place
from tests.patience import PATIENCE_S
from tests.servers import openbao, s3
from tests.vaults import factory_key, needed_folders, vault_of

#: What a call to a server may take: much, for one that answers; little, for one that does not.
LIMIT_S, SHORT_S = PATIENCE_S, 0.5


@pytest.fixture(scope="session")
def openbao_server(tmp_path_factory):
    with openbao.running(tmp_path_factory.mktemp("bao")) as server:
        yield server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    with s3.running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def door():
    """Lets out to this machine, whatever the port."""
    return BlockingDoor(lambda host, port, inside: ("test",) if host == "127.0.0.1" else ())


@pytest.fixture
def files(tmp_path):
    made = Disk(tmp_path)
    needed_folders(made)
    return made


@pytest.fixture
def opened(door):
    """Makes keys on a server, which is asked however long it took to refuse, and ends their calls
    afterwards."""
    made = []

    def keys(
        url: str,
        token: str,
        mount: str,
        limit_s: float = LIMIT_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> OpenBaoKeys:
        calls = Calls(door, "keys", origin(url), limit_s)
        made.append(calls)
        return OpenBaoKeys(calls, lambda: token, mount, monotonic, Rest(rest_s=0.0))

    yield keys
    for calls in made:
        calls.close()


@pytest.fixture(params=["embedded", "openbao"])
def reopened(request, files):
    """Opens the keys anew, as a process does that starts."""
    if request.param == "embedded":
        return lambda: EmbeddedKeys(files, factory_key)
    server, opened = (request.getfixturevalue(name) for name in ("openbao_server", "opened"))
    mount, token = server.mount()
    return lambda: opened(server.url, token, mount)


@pytest.fixture
def keys(reopened):
    return reopened()


@pytest.fixture
def stored(door):
    """Makes blobs in a bucket, and closes them afterwards."""
    made = []

    def blobs(bucket, patience: Patience | None = None) -> S3Blobs:
        made.append(S3Blobs(bucket, door, patience))
        return made[-1]

    yield blobs
    for one in made:
        one.close()


@pytest.fixture(params=["folder", "memory", "s3", "placed"])
def blobs(request, files):
    if request.param == "folder":
        return FolderBlobs(files)
    if request.param == "s3":
        return request.getfixturevalue("stored")(request.getfixturevalue("s3_server").bucket())
    memory = ForgetfulDisk().process("test")
    needed_folders(memory)
    if request.param == "placed":
        here, there = Place("here", "DE", "DE"), Place("there", "FR", "FR")
        placed = {
            "here": Placed(here, lambda: FolderBlobs(files)),
            "there": Placed(there, lambda: FolderBlobs(memory)),
        }
        return PlacedBlobs(placed, lambda asset: ("there", "here") if asset == "a" else ())
    return FolderBlobs(memory)


@pytest.fixture
def vault(keys, blobs):
    return SealedVault(keys, blobs)


@pytest.fixture(scope="module")
def memory():
    """A vault in memory and its blobs, for laws that put into it again and again."""
    made, _, stored = vault_of(ForgetfulDisk().process("test"))
    return made, stored
