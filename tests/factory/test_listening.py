"""A factory that other machines may reach: TLS, its certificate, its names, its sources."""

import contextlib
import datetime as dt
import http.client
import ipaddress
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from inland.adapters.home.listening import Listening
from tests import thief
from tests.factory.running import MODEL, Running
from tests.factory.test_up import ANSWER_TOKENS
from tests.patience import PATIENCE_S, until

ASK = {"model": MODEL, "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 2}
NAME = "factory.test"
#: A minute, over which one of them is forgotten each time.
FAILURES = 8


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        made = self._sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        self.file = folder / "ca.pem"
        self.file.write_bytes(made.public_bytes(Encoding.PEM))

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *more: x509.ExtensionType
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder(self._name, subject, key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(days=1))
        builder = builder.not_valid_after(now + dt.timedelta(days=90))
        for extension in more:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def issue(self, cert: Path, key: Path) -> str:
        """A new pair in these files, each replaced whole; its fingerprint."""
        private = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
        names = [x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        made = self._sign(subject, private, x509.SubjectAlternativeName(names))
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        for path, data in ((cert, made.public_bytes(Encoding.PEM)), (key, pem)):
            aside = self.folder / "aside"
            aside.write_bytes(data)
            aside.chmod(0o600)
            aside.replace(path)
        return made.fingerprint(hashes.SHA256()).hex()


@dataclass
class Secure(Running):
    """A factory over TLS, and the file by which it is known."""

    trusted: Path = Path()
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}"

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.trusted))

    def https(self, tenant: str | None = None) -> httpx.Client:
        return self.http(tenant, verify=self.context(), trust_env=False)

    def get(self, path: str, source: str, **headers: str) -> http.client.HTTPResponse:
        """One request from one of this machine's addresses, on a connection of its own."""
        connection = http.client.HTTPSConnection(
            *("127.0.0.1", self.port), context=self.context(), source_address=(source, 0)
        )
        connection.putrequest("GET", path, skip_host=True)
        for name, value in {"Host": NAME, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def served(self) -> str:
        """The fingerprint of the certificate that a new connection is shown."""
        done = subprocess.run(
            [
                *("openssl", "s_client", "-connect", f"127.0.0.1:{self.port}"),
                *("-CAfile", str(self.trusted), "-verify_return_error", "-servername", NAME),
            ],
            input="",
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
        assert "Verify return code: 0 (ok)" in done.stdout
        pem = done.stdout[done.stdout.index("-----BEGIN") :].partition("-----END")[0]
        shown = x509.load_pem_x509_certificate(f"{pem}-----END CERTIFICATE-----\n".encode())
        return shown.fingerprint(hashes.SHA256()).hex()

    def metric(self, name: str) -> float:
        """The sum of one metric's series."""
        headers = {"authorization": f"Bearer {self.operator_key}"}
        with self.https() as http_client:
            text = http_client.get("/metrics", headers=headers).text
        lines = [line for line in text.splitlines() if line.startswith(name)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def open_one(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, model_file: Path
) -> Iterator[Secure]:
    """A factory on every address of this machine, by a pair of files, with few failures allowed: so
    few that who has made them is refused for a while, however slow his calls are."""
    assert model_file.exists()
    folder = tmp_path_factory.mktemp("open")
    cert, key = folder / "cert.pem", folder / "key.pem"
    authority.issue(cert, key)
    factory = Secure(folder / "home", trusted=authority.file)
    listening = Listening("0.0.0.0", str(cert), str(key), hosts=(NAME,))
    factory.make(listening=listening, source_failures_per_minute=FAILURES)
    factory.up("--gateways", "2")
    try:
        yield factory
    finally:
        factory.run("down", check=False)


def _all_serve(factory: Secure, sha256: str) -> bool:
    """Every gateway: the kernel spreads connections over them."""
    return {factory.served() for _ in range(16)} == {sha256}


def _pair(factory: Secure) -> tuple[Path, Path]:
    return factory.home.parent / "cert.pem", factory.home.parent / "key.pem"


def test_an_address_others_reach_is_refused_without_tls(tmp_path: Path, model_file: Path) -> None:
    assert model_file.exists()
    factory = Running(tmp_path / "home")
    up = ("up", "--detach", "--offline", "--port", str(factory.port))
    for bind in ("0.0.0.0", "::", "192.0.2.1"):
        done = factory.run(*up, "--bind", bind, check=False)
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1
        for told in (bind, "--tls-cert", "--tls-key", "--tls-self-signed"):
            assert told in done.stderr
    done = factory.run(*up, "--bind", "192.0.2.1", "--tls-self-signed", check=False)
    assert "no address of this machine" in done.stderr
    done = factory.run(*up, "--bind", "llm.example.org", check=False)
    assert "no IP address" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_pair_that_cannot_be_served_is_refused_before_anything_is_made(
    tmp_path: Path, authority: Authority
) -> None:
    cert, key, other = tmp_path / "c", tmp_path / "k", tmp_path / "o"
    authority.issue(tmp_path / "c2", other)
    authority.issue(cert, key)
    factory = Running(tmp_path / "home")
    up = ("up", "--detach", "--offline", "--port", str(factory.port))

    def told(*words: str) -> str:
        done = factory.run(*up, *words, check=False)
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1
        return done.stderr

    assert "belong together" in told("--tls-cert", str(cert))
    assert "not both" in told("--tls-cert", str(cert), "--tls-key", str(key), "--tls-self-signed")
    assert str(tmp_path / "none") in told("--tls-cert", str(cert), "--tls-key", f"{tmp_path}/none")
    assert "no pair" in told("--tls-cert", str(cert), "--tls-key", str(other))
    key.chmod(0o644)
    assert "chmod 600" in told("--tls-cert", str(cert), "--tls-key", str(key))
    assert not factory.home.exists()


def test_the_official_client_and_curl_are_served_over_tls(open_one: Secure) -> None:
    with open_one.https("demo") as http_client:
        answer = http_client.post("/v1/chat/completions", json=ASK)
        assert answer.status_code == 200
        lines = http_client.post("/v1/chat/completions", json=ASK | {"stream": True}).text
        assert lines.endswith("[DONE]\n\n")
    curl = [
        *("curl", "-sS", "--cacert", str(open_one.trusted), "--http1.1"),
        *("--resolve", f"{NAME}:{open_one.port}:127.0.0.1"),
        *("-H", f"Authorization: Bearer {open_one.keys['demo']}"),
        f"https://{NAME}:{open_one.port}/v1/models",
    ]
    done = subprocess.run(curl, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert [one["id"] for one in json.loads(done.stdout)["data"]] == [MODEL]


def test_status_and_doctor_tell_of_the_certificate(open_one: Secure) -> None:
    shown = open_one.served()
    told = open_one.json("status")
    assert told["url"] == open_one.url
    assert told["sha256"].replace(":", "").lower() == shown
    found = {one["what"]: one for one in json.loads(open_one.run("doctor", "--json").stdout)}
    assert found["address"]["health"] == "warn"
    assert found["certificate"]["health"] == "good"
    assert found["TLS key"]["health"] == "good"


def test_plain_http_and_other_names_get_nothing(open_one: Secure) -> None:
    with socket.create_connection(("127.0.0.1", open_one.port)) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        plain.settimeout(PATIENCE_S)
        with contextlib.suppress(ConnectionError):
            assert b"HTTP" not in plain.recv(4096)
    for path in ("/healthz", "/v1/models", "/factory/v1/status", "/ledger/checkpoint"):
        for name, status in ((NAME, {200, 401}), ("127.0.0.1", {200, 401}), ("evil.test", {421})):
            assert open_one.get(path, "127.0.0.5", Host=name).status in status
        origin = {"Origin": f"https://{NAME}:{open_one.port}"}
        assert (
            open_one.get(path, "127.0.0.5", Host=f"{NAME}:{open_one.port}", **origin).status != 403
        )
        assert open_one.get(path, "127.0.0.5", Origin="https://evil.test").status == 403


def test_a_new_certificate_is_taken_up_and_no_request_notices(
    open_one: Secure, authority: Authority
) -> None:
    pair, before = _pair(open_one), open_one.served()
    stop, failures, answered = threading.Event(), [], [0, 0]

    def load(number: int) -> None:
        """One connection for all the time, and beside it a new one each time."""
        with open_one.https("demo") as kept:
            while not stop.is_set():
                try:
                    with open_one.https("demo") as fresh:
                        for at, one in enumerate((kept, fresh)):
                            assert one.get("/v1/models").status_code == 200
                            answered[at] += 1
                    if number == 0:
                        assert kept.post("/v1/chat/completions", json=ASK).status_code == 200
                except Exception as error:  # noqa: BLE001 - any failure is one too many
                    failures.append(repr(error))
                    return

    threads = [threading.Thread(target=load, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            wanted = authority.issue(*pair)
            assert wanted != before
            until(lambda: _all_serve(open_one, wanted))  # noqa: B023 - called at once
        until(lambda: failures or min(answered) > 10)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []


def test_a_broken_new_certificate_changes_nothing_and_is_told(
    open_one: Secure, authority: Authority
) -> None:
    cert, key = _pair(open_one)
    before = open_one.served()
    good = cert.read_bytes()
    cert.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    until(lambda: open_one.metric("inland_certificate_refused") == 2)
    assert open_one.served() == before
    log = open_one.home / "logs" / "gateway-0.log"
    until(lambda: "a new certificate was not taken up" in log.read_text())
    done = open_one.run("doctor", "--json", check=False)
    assert done.returncode == 1
    found = {one["what"]: one for one in json.loads(done.stdout)}
    assert found["certificate"]["health"] == "bad"
    cert.write_bytes(good)
    key.chmod(0o644)
    found = {
        one["what"]: one for one in json.loads(open_one.run("doctor", "--json", check=False).stdout)
    }
    assert found["TLS key"]["health"] == "bad"
    wanted = authority.issue(cert, key)
    until(lambda: _all_serve(open_one, wanted))
    until(lambda: open_one.metric("inland_certificate_refused") == 0)


def test_a_source_that_fails_is_refused_alone_and_its_working_keys_are_not(
    open_one: Secure,
) -> None:
    wrong = {"Authorization": "Bearer inl_" + "a" * 16 + "_" + "b" * 52}
    right = {"Authorization": f"Bearer {open_one.keys['demo']}"}
    path, attacker, neighbour = "/factory/v1/usage", "127.0.0.7", "127.0.0.8"
    assert open_one.get(path, attacker, **wrong).status == 401

    def refused(asked: str) -> bool:
        """By both gateways, over which the kernel spreads connections."""
        return all(open_one.get(asked, attacker, **wrong).status == 429 for _ in range(12))

    until(lambda: refused(path))
    until(lambda: refused("/v1/models"))
    answer = open_one.get("/v1/models", attacker, **wrong)
    assert answer.status == 401 or int(answer.headers["retry-after"]) >= 1
    for _ in range(6):
        assert open_one.get(path, attacker, **right).status == 200
        assert open_one.get("/v1/models", attacker, **right).status == 200
        assert open_one.get("/ledger/checkpoint", attacker).status == 200
    assert open_one.get(path, neighbour, **wrong).status == 401
    until(lambda: open_one.metric('inland_turned_away_total{why="too_many_failures"}') > 0)
    with open_one.https() as http_client:
        headers = {"authorization": f"Bearer {open_one.operator_key}"}
        assert attacker not in http_client.get("/metrics", headers=headers).text
    for name in ("journal", "records", "ledger"):
        assert thief.lying(open_one.home / name, [attacker.encode()]) == {}


def test_what_up_prints_over_tls_works_as_pasted_and_is_kept(
    tmp_path: Path, model_file: Path
) -> None:
    """Over IPv6, by a certificate the factory makes itself."""
    assert model_file.exists()
    factory = Secure(tmp_path / "home", host="[::1]")
    up = ("up", "--detach", "--offline", "--port", str(factory.port), "--bind", "::1")
    printed = factory.run(*up, "--tls-self-signed").stdout
    cert, key = factory.home / "tls.crt", factory.home / "keys" / "tls.key"
    try:
        assert f"Inland is ready at {factory.url}" in printed
        shown = x509.load_pem_x509_certificate(cert.read_bytes()).fingerprint(hashes.SHA256())
        assert ":".join(f"{byte:02X}" for byte in shown) in printed
        assert (key.stat().st_mode & 0o777, cert.stat().st_mode & 0o777) == (0o600, 0o644)
        factory.restart_with(answer_tokens=ANSWER_TOKENS)
        curl = printed[printed.index("curl ") :].split("\n\n")[0]
        answer = subprocess.run(
            ["bash", "-c", curl], capture_output=True, text=True, timeout=PATIENCE_S, check=True
        )
        assert json.loads(answer.stdout)["choices"]
        python = printed[printed.index("import ssl") :].split("\n\n\n")[0]
        done = subprocess.run(
            [sys.executable, "-c", python],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, python + done.stderr
        assert done.stdout.strip()
        factory.run("down")
        before = cert.read_bytes()
        factory.run("up", "--detach", "--offline", "--port", str(factory.port))
        assert cert.read_bytes() == before
        assert shown.hex() == factory.json("status")["sha256"].replace(":", "").lower()
    finally:
        factory.run("down", check=False)
