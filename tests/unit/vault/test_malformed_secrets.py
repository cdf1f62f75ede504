"""A secret that is not written as it should be is told of, and nothing of it is."""

import pytest

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.egress.calls import Calls
from inland.adapters.egress.door import origin
from inland.adapters.egress.fetching import Fetcher, NotFetched
from inland.adapters.egress.http import client
from inland.adapters.home.factory_toml import Declaration
from inland.adapters.home.vault_table import BlobsIn, KeysBy, VaultSaid
from inland.adapters.host.findings import Health
from inland.bootstrap.doctor import _vault_blobs, _vault_keys
from inland.domain.places import Place
from inland.ports.blobs import BlobsAway
from inland.ports.keys import KeysAway
from inland.refusals import away
from tests.unit.vault.test_door import Allowing, opened, said, silent

__all__ = ["silent"]

SECRET = "hvs.a-canary-of-the-tests"
MALFORMED = [f"{SECRET} ", f"{SECRET}\t\n", f"{SECRET}\nsecond", f"{SECRET}\x01", f"{SECRET}é"]


@pytest.mark.parametrize("text", MALFORMED)
def test_a_token_file_that_holds_more_than_a_token_is_told_without_it(tmp_path, silent, text):
    told = said(tmp_path, silent.endpoint)
    (tmp_path / "token").write_text(text)
    with pytest.raises(KeysAway, match="holds no token") as raised:
        opened(tmp_path, told, BlockingDoor(Allowing())).keys.demand()
    assert SECRET not in raised.value.why


@pytest.mark.parametrize("text", [f"{SECRET}", f"{SECRET}\x01\nkey", f"key\n{SECRET}é\n"])
def test_a_buckets_key_that_is_none_is_told_without_it(tmp_path, silent, text):
    told = said(tmp_path, silent.endpoint)
    (tmp_path / "s3").write_text(text)
    with pytest.raises(BlobsAway, match="must hold two lines") as raised:
        opened(tmp_path, told, BlockingDoor(Allowing())).blobs.get("parts/a/00000000")
    assert SECRET not in str(raised.value)


def test_the_doctor_finds_both(tmp_path):
    file = tmp_path / "secret"
    file.touch(0o600)
    file.write_text(f"{SECRET}\x01")
    told = VaultSaid(
        keys=KeysBy.OPENBAO, key_server_token_file=file, blobs=BlobsIn.S3, s3_key_file=file
    )
    declared = Declaration(Place("local", "DE", "DE"), vault=told)
    for found in (_vault_keys(declared), *_vault_blobs(declared)):
        assert found.health is Health.BAD
        assert str(file) in found.told
        assert SECRET not in found.told


@pytest.mark.parametrize("value", [f"{SECRET} ", f"{SECRET}\nsecond"])
def test_what_could_not_be_sent_is_not_told(silent, value):
    door, url = BlockingDoor(Allowing()), f"http://{silent.endpoint}"
    calls = Calls(door, "keys", origin(url), 30.0)
    with pytest.raises(ConnectionError, match="LocalProtocolError") as raised:
        calls.call("GET", "/", None, {"x-vault-token": value})
    calls.close()
    fetcher = Fetcher(lambda: client(door, "model pull"))
    with pytest.raises(NotFetched, match="LocalProtocolError") as fetched:
        fetcher.small(url, {"authorization": f"Bearer {value}"}, 1)
    with client(door, "control") as asking, pytest.raises(Exception, match="Illegal") as unsent:
        asking.get(url, headers={"authorization": f"Bearer {value}"})
    for error in (raised.value, fetched.value, away(unsent.value)):
        assert SECRET not in str(error)
