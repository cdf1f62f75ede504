"""What may be said of how a factory is reached, and what is refused by name."""

from dataclasses import replace
from pathlib import Path

import pytest

from inland.adapters.home.factory_toml import parse
from inland.adapters.home.listening import Listening, from_json
from inland.adapters.home.template import FirstFactory, FirstModel, factory_toml
from inland.domain.errors import BadInput

MODEL = FirstModel("m", "models/m.gguf", "0" * 64, "Apache-2.0")
FULL = Listening(
    bind="::",
    tls_cert='/etc/a "b".pem',
    tls_key="/etc/k.pem",
    hosts=("llm.example.org", "192.0.2.7", "2001:db8::7"),
    origins=("https://app.example.org", "http://[::1]:3000"),
    proxies=("10.0.0.0/8", "2001:db8::/32", "192.0.2.9/32"),
)


def _serve(*lines: str) -> Listening:
    text = '[site]\njurisdiction = "DE"\n[serve]\n' + "\n".join(lines)
    return parse(text, Path("/home")).listening


@pytest.mark.parametrize("said", [Listening(), FULL, Listening(tls_self_signed=True)])
def test_what_a_first_start_writes_is_what_it_was_told(said: Listening) -> None:
    first = FirstFactory("DE", 8780, 1, ("demo",), MODEL, "d", 1, said)
    assert parse(factory_toml(first), Path("/home")).listening == said
    assert from_json(said.to_json()) == said


def test_relative_files_lie_in_the_home() -> None:
    said = _serve('tls_cert = "c.pem"', 'tls_key = "/k.pem"')
    assert (said.tls_cert, said.tls_key) == ("/home/c.pem", "/k.pem")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('bind = "example.org"', "bind"),
        ('bind = ""', "bind"),
        ("bind = 1", "bind"),
        ('tls_cert = "c"', "belong together"),
        ('tls_cert = "c"\ntls_key = "k"\ntls_self_signed = true', "not both"),
        ('hosts = ["https://x"]', "hosts"),
        ('hosts = ["x:80"]', "hosts"),
        ('hosts = ["*.example.org"]', "hosts"),
        ('hosts = [""]', "hosts"),
        ('origins = ["x"]', "origins"),
        ('origins = ["https://x/"]', "origins"),
        ('origins = ["*"]', "origins"),
        ('origins = ["null"]', "origins"),
        ('origins = ["https://x:99999"]', "origins"),
        ('proxies = ["x"]', "proxies"),
        ('proxies = ["10.0.0.1/8"]', "proxies"),
        (f"hosts = {[f'h{n}' for n in range(257)]}", "256"),
    ],
)
def test_what_is_wrong_is_refused_by_name(line: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        _serve(line)


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_tls(bind: str) -> None:
    Listening(bind=bind).demand_tls()


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.1", "10.0.0.1", "fe80::1%lo"])
def test_whatever_others_reach_needs_tls(bind: str) -> None:
    with pytest.raises(BadInput, match="--tls-self-signed"):
        Listening(bind=bind).demand_tls()
    Listening(bind=bind, tls_self_signed=True).demand_tls()


def test_a_command_line_says_it_instead_and_adds_names() -> None:
    said = FULL.overridden(bind="127.0.0.1", tls_self_signed=True, hosts=["b.example"])
    assert (said.bind, said.tls_cert, said.tls_self_signed) == ("127.0.0.1", None, True)
    assert said.hosts == ("b.example", *FULL.hosts)
    assert FULL.overridden() == FULL
    files = Listening(tls_self_signed=True).overridden(tls_cert=Path("/c"), tls_key=Path("/k"))
    assert (files.tls_cert, files.tls_self_signed) == ("/c", False)
    with pytest.raises(BadInput):
        FULL.overridden(tls_cert=Path("/c"))


def test_any_address_is_no_name() -> None:
    assert FULL.names() == (*FULL.hosts, "localhost", "127.0.0.1", "::1")
    assert "192.0.2.1" in Listening(bind="192.0.2.1").names()


def test_urls_work_from_this_machine() -> None:
    assert Listening().url(80) == "http://127.0.0.1:80"
    assert FULL.url(80) == "https://[::1]:80"
    assert replace(FULL, bind="0.0.0.0").url(80) == "https://127.0.0.1:80"
    assert FULL.url(80, "llm.example.org") == "https://llm.example.org:80"
