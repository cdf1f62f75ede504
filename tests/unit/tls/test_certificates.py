"""Certificates: made, kept, renewed, taken up when they change, examined; keys kept well."""

import os
import ssl
import subprocess
from pathlib import Path
from time import time

import pytest

from inland.adapters.home.layout import Home
from inland.adapters.home.listening import Listening
from inland.adapters.host.findings import Health
from inland.adapters.tls import certificate, self_signed
from inland.adapters.tls.certificate import DAY_S
from inland.adapters.tls.findings import examine
from inland.adapters.tls.served import Served
from inland.bootstrap.certificate import Renewal, prepare
from inland.domain.errors import BadInput

NAMES = ("llm.example.org", "192.0.2.7", "localhost", "127.0.0.1", "::1")
SIGNED = Listening(bind="0.0.0.0", tls_self_signed=True, hosts=("llm.example.org",))


class Clock:
    """A clock that stands until a test moves it."""

    def __init__(self) -> None:
        self.s = float(int(time()))

    def unix_us(self) -> int:
        return int(self.s * 1_000_000)

    def monotonic(self) -> float:
        return self.s

    def sleep(self, seconds: float) -> None:
        self.s += seconds


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "cert.pem", tmp_path / "key.pem"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "h")
    (made.root / "keys").mkdir(parents=True, mode=0o700)
    return made


def _now() -> int:
    return int(time())


def test_a_certificate_is_made_once_and_its_key_is_private(pair: tuple[Path, Path]) -> None:
    assert self_signed.keep(*pair, NAMES, _now())
    before = [path.read_bytes() for path in pair]
    assert [path.stat().st_mode & 0o777 for path in pair] == [0o644, 0o600]
    assert not self_signed.keep(*pair, NAMES, _now())
    assert [path.read_bytes() for path in pair] == before
    assert certificate.read(pair[0]).names == set(NAMES)
    assert sorted(path.name for path in pair[0].parent.iterdir()) == ["cert.pem", "key.pem"]


def test_it_is_made_anew_for_other_names_another_key_and_before_it_ends(
    pair: tuple[Path, Path],
) -> None:
    cert, key = pair
    self_signed.keep(cert, key, NAMES, _now())
    secret = key.read_bytes()
    assert self_signed.keep(cert, key, ("localhost",), _now())
    ends = certificate.read(cert).ends_unix_s
    assert not self_signed.keep(cert, key, ("localhost",), ends - 31 * DAY_S)
    assert self_signed.keep(cert, key, ("localhost",), ends - 29 * DAY_S)
    assert key.read_bytes() == secret
    assert certificate.read(cert).ends_unix_s > ends
    key.unlink()
    assert self_signed.keep(cert, key, ("localhost",), _now())
    certificate.context_of(cert, key)  # they fit
    cert.write_bytes(b"half a certifica")
    assert self_signed.keep(cert, key, ("localhost",), _now())
    key.write_bytes(b"no key")
    with pytest.raises(BadInput, match="no key of the factory's making"):
        self_signed.keep(cert, key, ("localhost",), _now())


@pytest.mark.parametrize("name", NAMES)
def test_openssl_and_strict_python_trust_it_for_its_names_alone(
    pair: tuple[Path, Path], name: str
) -> None:
    self_signed.keep(*pair, NAMES, _now())
    kind = "-verify_ip" if name[0].isdigit() or ":" in name else "-verify_hostname"

    def verified(name: str, kind: str) -> bool:
        words = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", kind, name]
        argv = [*words, "-CAfile", str(pair[0]), str(pair[0])]
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0

    assert verified(name, kind)
    assert not verified("evil.example", "-verify_hostname")
    assert not verified("192.0.2.8", "-verify_ip")
    client = ssl.create_default_context(cafile=str(pair[0]))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    assert _shake(client, certificate.context_of(*pair), name)


def _shake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> bool:
    """A handshake in memory; whether it came to its end."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = client.wrap_bio(down, up, server_hostname=name)
    answers = server.wrap_bio(up, down, server_side=True)
    done = [False, False]
    for _ in range(10):
        for at, one in enumerate((asks, answers)):
            try:
                one.do_handshake()
                done[at] = True
            except ssl.SSLWantReadError:
                pass
    return all(done)


def test_a_key_others_may_read_is_refused(pair: tuple[Path, Path]) -> None:
    self_signed.keep(*pair, NAMES, _now())
    for mode in (0o604, 0o640, 0o620, 0o644, 0o660):
        pair[1].chmod(mode)
        with pytest.raises(BadInput, match="chmod 600"):
            certificate.context_of(*pair)
    for mode in (0o600, 0o400):
        pair[1].chmod(mode)
        certificate.context_of(*pair)


def test_a_service_may_be_lent_a_key_of_roots_through_its_group(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can own a key as root does")
    self_signed.keep(*pair, NAMES, _now())
    pair[1].chmod(0o640)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    certificate.demand_private(pair[1])
    pair[1].chmod(0o660)
    with pytest.raises(BadInput, match="chmod 640"):
        certificate.demand_private(pair[1])


def test_a_key_that_asks_for_a_password_is_refused_and_nobody_is_asked(
    pair: tuple[Path, Path],
) -> None:
    self_signed.keep(*pair, NAMES, _now())
    argv = ["openssl", "ec", "-aes256", "-passout", "pass:secret", "-in", str(pair[1])]
    locked = subprocess.run(argv, capture_output=True, check=True).stdout
    pair[1].write_bytes(locked)
    with pytest.raises(BadInput, match="encrypted"):
        certificate.context_of(*pair)


# -- while it is served


def _looks(served: Served, unix_s: float) -> str | None:
    """Twice, as a file that is still being written is not taken."""
    served.look(unix_s)
    served.look(unix_s)
    return served.wrong


def test_a_new_pair_is_served_once_it_is_whole(pair: tuple[Path, Path], tmp_path: Path) -> None:
    self_signed.keep(*pair, NAMES, _now())
    served = Served(*pair)
    first, context = served.certificate, served.context
    other = (tmp_path / "other.pem", tmp_path / "other.key")
    self_signed.keep(*other, NAMES, _now())
    other[0].replace(pair[0])  # its key is not there yet
    served.look(_now())
    assert (served.certificate, served.wrong) == (first, None)
    served.look(_now())
    assert served.context is context
    assert served.wrong is not None
    assert "no pair" in served.wrong
    other[1].replace(pair[1])
    assert _looks(served, _now()) is None
    assert served.certificate != first
    assert served.context is not context


@pytest.mark.parametrize("how", ["broken", "missing", "open", "ended", "empty"])
def test_a_new_pair_that_cannot_be_used_changes_nothing(pair: tuple[Path, Path], how: str) -> None:
    self_signed.keep(*pair, NAMES, _now())
    served = Served(*pair)
    context, good = served.context, pair[0].read_bytes()
    if how == "broken":
        pair[0].write_bytes(good[:200])
    elif how == "missing":
        pair[0].unlink()
    elif how == "open":
        pair[1].chmod(0o644)
    elif how == "ended":
        self_signed.keep(*pair, ("localhost",), _now() - 3 * 365 * DAY_S)
    else:
        pair[0].write_bytes(b"")
    assert _looks(served, _now()) is not None
    assert served.context is context
    self_signed.keep(*pair, ("localhost",), _now())
    pair[1].chmod(0o600)
    assert _looks(served, _now()) is None
    assert served.context is not context


def test_a_running_factory_renews_its_own_certificate(home: Home) -> None:
    clock = Clock()
    renewal = Renewal(home, SIGNED, clock)
    renewal.step()
    first = certificate.read(home.tls_certificate)
    clock.s += 100 * DAY_S
    renewal.step()
    assert certificate.read(home.tls_certificate) == first
    clock.s = first.ends_unix_s - 20 * DAY_S
    renewal.step()
    assert certificate.read(home.tls_certificate).ends_unix_s > first.ends_unix_s
    quiet = Home(home.root.with_name("q"))
    (quiet.root / "keys").mkdir(parents=True)
    Renewal(quiet, Listening(), clock).step()
    assert prepare(quiet, Listening(), clock) is None
    assert not quiet.tls_certificate.exists()


# -- what doctor says


def _health(home: Home, said: Listening, unix_s: int) -> dict[str, Health]:
    return {one.what: one.health for one in examine(home, said, unix_s)}


def test_doctor_tells_what_is_wrong_with_the_port(home: Home) -> None:
    good, warn, bad = Health.GOOD, Health.WARN, Health.BAD
    assert _health(home, Listening(), _now()) == {"address": good}
    assert _health(home, Listening(bind="0.0.0.0"), _now()) == {"address": bad}
    assert _health(home, SIGNED, _now()) == {"address": warn}  # not started yet
    found = prepare(home, SIGNED, Clock())
    assert found is not None
    well = {"address": warn, "certificate": good, "TLS key": good}
    assert _health(home, SIGNED, _now()) == well
    late = found.ends_unix_s
    assert _health(home, SIGNED, late - 29 * DAY_S) == well | {"certificate": warn}
    assert _health(home, SIGNED, late) == well | {"certificate": bad}
    assert _health(home, SIGNED, found.begins_unix_s - 1) == well | {"certificate": bad}
    home.tls_key.chmod(0o644)
    assert _health(home, SIGNED, _now()) == well | {"certificate": bad, "TLS key": bad}


def test_doctor_names_a_certificates_names_that_would_be_refused(home: Home) -> None:
    prepare(home, SIGNED, Clock())
    cert, key = str(home.tls_certificate), str(home.tls_key)
    said = Listening(tls_cert=cert, tls_key=key)
    (wrong,) = [one for one in examine(home, said, _now()) if one.health is Health.WARN]
    assert "llm.example.org" in wrong.told
    assert "hosts" in wrong.remedy
