"""A whole factory over a real OpenBao and a real S3 server, each behind one that fails as it is
told: what needs them is refused while they are away, goes on by itself, and nothing is lost."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import thief
from tests.factory.running import MODEL, Running
from tests.patience import PATIENCE_S, until
from tests.servers import openbao, s3
from tests.servers.liar import Liar, Mode, standing_before
from tests.servers.openbao import OpenBao
from tests.servers.s3 import ACCESS, SECRET, S3Server

CANARY = b"canary-5e90-of-the-keepers"
ASSETS = "/factory/v1/assets"
OCTETS = {"content-type": "application/octet-stream"}
VAULT = """
[vault]
keys = "openbao"
key_server = "http://127.0.0.1:{keys}"
key_server_mount = "{mount}"
key_server_token_file = "keys/vault/token"
key_server_s = 1
blobs = "s3"
s3_endpoint = "http://127.0.0.1:{blobs}"
s3_bucket = "bucket0"
s3_prefix = "a/prefix"
s3_key_file = "keys/vault/s3"
s3_request_s = 1
"""


@dataclass
class Kept:
    """A factory, its two keepers, and what stands before each."""

    factory: Running
    bao: OpenBao
    s3: S3Server
    keys: Liar
    blobs: Liar
    mount: str

    def put_token(self, token: str) -> None:
        file = self.factory.home / "keys" / "vault" / "token"
        aside = file.with_suffix(".new")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
            out.write(token + "\n")
        aside.rename(file)

    def http(self, tenant: str = "acme") -> httpx.Client:
        return self.factory.http(tenant)

    def upload(self, data: bytes, name: str) -> str:
        """Begin an upload of one part; its id. The keepers must be there."""
        with self.http() as http:
            body = {"kind": "dataset", "name": name, "bytes": len(data)}
            return str(answered(lambda: http.post(ASSETS, json=body), 201).json()["id"])

    def put(self, asset: str, data: bytes) -> httpx.Response:
        with self.http() as http:
            return http.put(f"{ASSETS}/{asset}/parts/0", content=data, headers=OCTETS)

    def finish(self, asset: str) -> httpx.Response:
        with self.http() as http:
            return http.post(f"{ASSETS}/{asset}/finish")

    def add(self, data: bytes, name: str) -> str:
        asset = self.upload(data, name)
        answered(lambda: self.put(asset, data), 204)
        answered(lambda: self.finish(asset), 200)
        return asset

    def read(self, asset: str) -> httpx.Response:
        """A fresh export's one part, or what stood in its way."""
        with self.http() as http:
            begun = http.post(f"{ASSETS}/{asset}/exports", json={})
            if begun.status_code != 201:
                return begun
            return http.get(f"{ASSETS}/{asset}/exports/{begun.json()['id']}/parts/0")

    def erase(self, asset: str) -> httpx.Response:
        with self.factory.http() as http:
            http.headers["authorization"] = f"Bearer {self.factory.operator_key}"
            return http.post(f"{ASSETS}/{asset}/erase")

    def chat(self) -> httpx.Response:
        body = {"model": MODEL, "max_tokens": 2, "messages": [{"role": "user", "content": "Hi"}]}
        with self.http("demo") as http:
            return http.post("/v1/chat/completions", json=body)

    def status(self) -> dict[str, Any]:
        with self.factory.http() as http:
            http.headers["authorization"] = f"Bearer {self.factory.operator_key}"
            told: dict[str, Any] = http.get("/factory/v1/status").json()
            return told

    @contextmanager
    def badly(self, liar: Liar, mode: Mode) -> Iterator[None]:
        liar.mode = mode
        try:
            yield
        finally:
            liar.mode = Mode.HONEST


def answered(call: Callable[[], httpx.Response], status: int) -> httpx.Response:
    """What a call is answered once what it needs is back: until then 503, and nothing else."""
    end = time.monotonic() + PATIENCE_S
    while (reply := call()).status_code == 503 and time.monotonic() < end:
        time.sleep(0.2)
    assert reply.status_code == status, reply.text
    return reply


def until_done(factory: Running, *words: str) -> Any:
    """What a command tells that is tried until the keepers answer it in time: where a machine does
    much else one of them may be late."""
    told = ""

    def done() -> bool:
        nonlocal told
        ran = factory.run(*words, "--json", check=False)
        told = ran.stdout if ran.returncode == 0 else ran.stderr
        return ran.returncode == 0

    until(done, lambda: told)
    return json.loads(told) if told else None


def demand_away(reply: httpx.Response) -> None:
    """Refused with a reason and when to come again; nothing of any content is in it."""
    assert reply.status_code == 503, (reply.status_code, reply.text)
    assert reply.json()["title"] == "Vault away", reply.text
    assert int(reply.headers["retry-after"]) > 0
    assert CANARY not in reply.content


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Kept]:
    """A factory that was started while its key server was sealed and its store not there."""
    assert model_file.exists()
    folder = tmp_path_factory.mktemp("keepers")
    with ExitStack() as stack:
        for name in ("bao", "s3"):
            (folder / name).mkdir()
        bao = stack.enter_context(openbao.running(folder / "bao"))
        store = stack.enter_context(s3.running(folder / "s3"))
        keys, blobs = (stack.enter_context(standing_before(one.port)) for one in (bao, store))
        mount, token = bao.mount()
        factory = Running(folder / "home")
        factory.make(VAULT.format(keys=keys.port, blobs=blobs.port, mount=mount))
        stack.callback(factory.run, "down", check=False)
        made = Kept(factory, bao, store, keys, blobs, mount)
        (factory.home / "keys" / "vault").mkdir(mode=0o700)
        made.put_token(token)
        s3_key = factory.home / "keys" / "vault" / "s3"
        s3_key.write_text(f"{ACCESS}\n{SECRET}\n")
        s3_key.chmod(0o600)
        bao.seal()
        store.stop()
        factory.up()
        yield made


def test_it_starts_without_its_keepers_serves_what_needs_none_and_goes_on_by_itself(
    kept: Kept, tmp_path: Path
) -> None:
    assert kept.chat().status_code == 200
    until(lambda: {"vault keys", "vault blobs"} <= kept.status()["wrong"].keys(), "it is said")
    until(lambda: "sealed" in kept.status()["wrong"].get("vault keys", "").lower())  # or late
    done = kept.factory.run("doctor", check=False)
    assert done.returncode == 1
    assert "away" in done.stdout
    file = tmp_path / "file"
    file.write_bytes(CANARY)
    words = ("asset", "add", str(file), "--tenant", "acme", "--name", "first")
    refused = kept.factory.run(*words, check=False)
    assert refused.returncode == 1
    assert "keys cannot be reached" in refused.stderr
    assert refused.stderr.count("\n") == 1
    kept.bao.unseal()
    kept.s3.start()
    until(lambda: not kept.status()["wrong"], "both are found again")
    asset = until_done(kept.factory, *words)["id"]
    out = tmp_path / "out"
    until_done(kept.factory, "asset", "export", asset, "-o", str(out))
    assert out.read_bytes() == CANARY
    assert kept.chat().status_code == 200


@pytest.mark.parametrize(
    "mode",
    [
        *(Mode.FAILS, Mode.BUSY, Mode.HANGS, Mode.DRIPS, Mode.NONSENSE),
        *(Mode.FORGETS, Mode.OLD, Mode.WRONG, Mode.SHORT, Mode.TAG),
    ],
)
def test_whatever_the_store_does_nothing_is_lost_and_nothing_false_believed(
    kept: Kept, mode: Mode
) -> None:
    data = CANARY * 100 + mode.value.encode()
    whole, begun = kept.add(data, f"whole-{mode.value}"), kept.upload(data, f"cut-{mode.value}")
    doomed = kept.add(data, f"doomed-{mode.value}")
    if mode is Mode.OLD:  # it was something else before
        answered(lambda: kept.put(begun, data[::-1]), 204)
        kept.read(whole)
    with kept.badly(kept.blobs, mode):
        put, got, gone = kept.put(begun, data), kept.read(whole), kept.erase(doomed)
        answered(kept.chat, 200)
    assert put.status_code in {204, 503}, put.text
    if mode not in {Mode.WRONG, Mode.SHORT}:  # which lie about what is read alone
        demand_away(put)
    if got.status_code != 200 or got.content != data:  # short bodies, old and wrong bytes too
        demand_away(got)
    if mode in {Mode.FAILS, Mode.BUSY, Mode.HANGS, Mode.DRIPS, Mode.NONSENSE}:
        demand_away(got)
        demand_away(gone)
    answered(lambda: kept.put(begun, data), 204)
    answered(lambda: kept.finish(begun), 200)
    for asset in (whole, begun):
        assert answered(partial(kept.read, asset), 200).content == data
    assert answered(lambda: kept.erase(doomed), 200).json()["erased"] == [doomed]
    answered(lambda: kept.read(doomed), 409)


@contextmanager
def sealed(kept: Kept) -> Iterator[None]:
    kept.bao.seal()
    yield
    kept.bao.unseal()


@contextmanager
def killed(kept: Kept) -> Iterator[None]:
    kept.bao.kill()
    yield
    kept.bao.start()


@contextmanager
def frozen(kept: Kept) -> Iterator[None]:
    kept.bao.freeze()
    yield
    kept.bao.thaw()


@contextmanager
def revoked(kept: Kept) -> Iterator[None]:
    token = (kept.factory.home / "keys" / "vault" / "token").read_text().strip()
    kept.bao.ask("POST", "auth/token/revoke", {"token": token})
    yield
    kept.put_token(kept.bao.token(kept.mount))


@contextmanager
def without_a_token(kept: Kept) -> Iterator[None]:
    file = kept.factory.home / "keys" / "vault" / "token"
    token = file.read_text().strip()
    file.unlink()
    yield
    kept.put_token(token)


@contextmanager
def failing(kept: Kept) -> Iterator[None]:
    with kept.badly(kept.keys, Mode.FAILS):
        yield


@contextmanager
def dripping(kept: Kept) -> Iterator[None]:
    with kept.badly(kept.keys, Mode.DRIPS):
        yield


@pytest.mark.parametrize(
    "away", [sealed, killed, frozen, revoked, without_a_token, failing, dripping]
)
def test_while_the_key_server_is_away_nothing_opens_and_then_all_goes_on(
    kept: Kept, away: Callable[[Kept], Any]
) -> None:
    data = CANARY * 100 + away.__name__.encode()
    whole = kept.add(data, f"whole-{away.__name__}")
    begun = kept.upload(data, f"cut-{away.__name__}")
    doomed = kept.add(data, f"doomed-{away.__name__}")
    time.sleep(0.6)  # an opened key is remembered for half a second
    with away(kept):
        for call in (
            lambda: kept.put(begun, data),
            lambda: kept.read(whole),
            lambda: kept.erase(doomed),
        ):
            demand_away(call())
        until(lambda: "vault keys" in kept.status()["wrong"], "it is said")
        answered(kept.chat, 200)
    answered(lambda: kept.put(begun, data), 204)
    answered(lambda: kept.finish(begun), 200)
    for asset in (whole, begun):
        assert answered(partial(kept.read, asset), 200).content == data
    until(lambda: kept.read(doomed).status_code == 409, "the erase is gone on with by itself")
    assert answered(lambda: kept.erase(doomed), 200).json()["erased"] == [doomed]
    until(lambda: not kept.status()["wrong"], "it is found again")


def test_control_that_is_killed_while_its_keepers_hang_goes_on_when_they_are_back(
    kept: Kept,
) -> None:
    data = CANARY * 50
    whole, doomed = kept.add(data, "kill-whole"), kept.add(data, "kill-doomed")
    time.sleep(0.6)
    kept.bao.freeze()
    try:
        demand_away(kept.erase(doomed))  # intended, and on the books
        kept.factory.kill("control")
        until(lambda: kept.read(whole).status_code in {502, 503}, "nothing opens")
        answered(kept.chat, 200)  # at the latest when control, started anew, has renewed leases
    finally:
        kept.bao.thaw()
    until(lambda: kept.read(doomed).status_code == 409, "it was ended")
    assert answered(lambda: kept.read(whole), 200).content == data


def test_a_withdrawal_on_the_server_itself_is_heard_of(kept: Kept) -> None:
    data = CANARY * 10
    asset = kept.add(data, "withdrawn")
    kept.bao.ask("DELETE", f"{kept.mount}/keys/tenant.acme/soft-delete", None)
    with kept.http() as http:
        body = {"model": MODEL, "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}
        until(lambda: http.post("/v1/chat/completions", json=body).status_code == 403, "unheard")
    answered(lambda: kept.read(asset), 403)
    until_done(kept.factory, "vault", "give-back", "--tenant", "acme")
    assert answered(lambda: kept.read(asset), 200).content == data


def test_no_secret_is_in_an_argument_or_a_log(kept: Kept) -> None:
    home = kept.factory.home
    token = (home / "keys" / "vault" / "token").read_bytes().strip()
    secrets = {token, SECRET.encode()}
    for process in kept.factory.processes():
        told = Path(f"/proc/{process['pid']}/cmdline").read_bytes()
        told += Path(f"/proc/{process['pid']}/environ").read_bytes()
        assert not [one for one in secrets if one in told]
    for file, data in thief.files(home):
        if file.parent == home / "keys" / "vault":
            continue
        assert not [one for one in (*secrets, CANARY) if one in data], file


def test_a_copy_from_before_an_erase_opens_nothing_with_todays_key_server(
    kept: Kept, tmp_path: Path
) -> None:
    """The whole home, as it was, and every blob that lay in the bucket then."""
    data = CANARY * 10
    stays, doomed = kept.add(data, "stays"), kept.add(data, "goes")
    kept.factory.down()
    bucket = kept.s3.folder / "bucket0"
    shutil.copytree(kept.factory.home, tmp_path / "home", ignore=shutil.ignore_patterns("run"))
    shutil.copytree(bucket, tmp_path / "bucket")
    (tmp_path / "home" / "run").mkdir(mode=0o700)
    kept.factory.up()
    assert answered(lambda: kept.erase(doomed), 200).status_code == 200
    kept.factory.down()
    shutil.copytree(tmp_path / "bucket", bucket, dirs_exist_ok=True)
    again = Running(tmp_path / "home", keys=kept.factory.keys)
    again.up()
    try:
        copy = Kept(again, kept.bao, kept.s3, kept.keys, kept.blobs, kept.mount)
        assert answered(lambda: copy.read(stays), 200).content == data
        refused = answered(lambda: copy.read(doomed), 409)
        assert "does not exist" in refused.text
    finally:
        again.down()
        kept.factory.up()
    for folder in (tmp_path / "home", tmp_path / "bucket"):
        assert not [f for f in folder.rglob("*") if f.is_file() and CANARY in f.read_bytes()]
    wrong = until_done(kept.factory, "vault", "check", "--repair") or []
    assert {one["wrong"] for one in wrong} <= {"orphan"}
    assert {one["asset"] for one in wrong} <= {doomed}
