"""An S3 server that is away, slow or lies: a clear error, never content, and it resumes."""

import pytest

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.vault.embedded_keys import EmbeddedKeys
from inland.adapters.vault.s3_blobs import Patience, S3Blobs
from inland.adapters.vault.sealed_vault import SealedVault
from inland.ports.blobs import BlobsAway
from inland.ports.vault import PartName, Unreadable
from tests.servers import s3
from tests.servers.liar import Mode, standing_before
from tests.vaults import factory_key

#: For servers that answer, and short, for those that never do.
LONG = Patience(connect_s=90, request_s=90, retries_s=1, retries=1, rest_s=0)
SHORT = Patience(connect_s=1, request_s=1, retries_s=1, retries=1, rest_s=0)
PART = PartName("acme", "0198c2a1-one", 0)


@pytest.fixture
def liar(s3_server):
    with standing_before(s3_server.port) as made:
        yield made


@pytest.fixture
def blobs(liar, s3_server, stored):
    return stored(s3_server.bucket(liar.port), LONG)


@pytest.mark.parametrize("mode", [Mode.FAILS, Mode.HANGS, Mode.NONSENSE, Mode.SHORT])
def test_a_store_that_fails_is_away_until_it_works_again(liar, s3_server, stored, mode):
    bucket = s3_server.bucket(liar.port)
    blobs, hasty = stored(bucket, LONG), stored(bucket, SHORT)
    blobs.put("parts/a/0", b"x" * 100)
    liar.mode = mode
    for call in (lambda: hasty.get("parts/a/0"), lambda: list(hasty.names())):
        with pytest.raises(BlobsAway):
            call()
    if mode is not Mode.SHORT:  # of an answer without a body there is no half
        for call in (lambda: hasty.put("parts/a/1", b"y"), lambda: hasty.remove("parts/a/0")):
            with pytest.raises(BlobsAway):
                call()
    liar.mode = Mode.HONEST
    blobs.put("parts/a/1", b"y")
    assert blobs.get("parts/a/1") == b"y"


def test_what_the_store_threw_away_was_not_put(liar, blobs):
    liar.mode = Mode.FORGETS
    with pytest.raises(BlobsAway):
        blobs.put("parts/a/0", b"x")
    liar.mode = Mode.HONEST
    blobs.put("parts/a/0", b"the same length")
    liar.mode = Mode.FORGETS
    with pytest.raises(BlobsAway):
        blobs.put("parts/a/0", b"htgnel emas eht")


def test_a_store_that_shows_what_lay_there_before_is_noticed(liar, blobs):
    blobs.put("parts/a/0", b"old")
    liar.mode = Mode.OLD
    with pytest.raises(BlobsAway, match="something else"):
        blobs.put("parts/a/0", b"new")


@pytest.mark.parametrize("mode", [Mode.OLD, Mode.WRONG])
def test_old_and_wrong_data_is_never_content(liar, blobs, files, mode):
    vault = SealedVault(EmbeddedKeys(files, factory_key), blobs)
    vault.put(PART, b"the first")
    assert bytes(vault.get(PART)) == b"the first"
    proof = vault.put(PART, b"the second")
    liar.mode = mode
    with pytest.raises(Unreadable):
        vault.get(PART, proof)
    liar.mode = Mode.HONEST
    assert bytes(vault.get(PART, proof)) == b"the second"


def test_a_server_that_is_gone_is_away_and_back_when_it_is_back(tmp_path, stored):
    with s3.running(tmp_path) as server:
        blobs = stored(server.bucket(), LONG)
        blobs.put("parts/a/0", b"x")
        server.stop()
        with pytest.raises(BlobsAway):
            blobs.get("parts/a/0")
        server.start()
        assert blobs.get("parts/a/0") == b"x"


def test_a_bucket_that_is_not_there_is_away_and_not_empty(s3_server, stored, door):
    bucket = s3_server.bucket()
    gone = type(bucket)(bucket.endpoint, "no-such-bucket", "", bucket.key)
    blobs = stored(gone, LONG)
    for call in (lambda: list(blobs.names()), lambda: blobs.put("parts/a/0", b"x")):
        with pytest.raises(BlobsAway):
            call()


def test_a_wrong_secret_is_away(s3_server, stored):
    bucket = s3_server.bucket()
    wrong = type(bucket)(bucket.endpoint, bucket.name, "", lambda: (s3.ACCESS, "wrong"))
    blobs = stored(wrong, LONG)
    with pytest.raises(BlobsAway):
        blobs.put("parts/a/0", b"x")
    with pytest.raises(BlobsAway):
        blobs.get("parts/a/0")


def test_a_store_that_no_rule_names_is_not_connected_to(liar, s3_server):
    seen: list[str] = []

    def nobody(host: str, *_: object) -> tuple[str, ...]:
        seen.append(host)
        return ()

    blobs = S3Blobs(s3_server.bucket(liar.port), BlockingDoor(nobody), LONG)
    try:
        with pytest.raises(BlobsAway, match=r"policy set|403"):
            blobs.put("parts/a/0", b"x")
    finally:
        blobs.close()
    assert seen
    assert not liar.first
