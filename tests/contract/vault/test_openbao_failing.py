"""A key server that is sealed, away, slow, refuses or talks nonsense: no key, a clear error within
the limit, and it resumes by itself."""

from typing import Any

import pytest

from inland.adapters.egress.blocking import BlockingDoor
from inland.adapters.egress.calls import Calls, Reply
from inland.adapters.egress.door import origin
from inland.adapters.vault.openbao_keys import MEMORY_S, OpenBaoKeys
from inland.ports.keys import KeyGone, KeyName, KeysAway, KeyWithdrawn
from tests.contract.vault.conftest import LIMIT_S, SHORT_S
from tests.servers import openbao
from tests.servers.liar import Mode, standing_before

ONE = KeyName("acme", "0198c2a1-one")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One of its own: it is sealed, stopped and started."""
    with openbao.running(tmp_path_factory.mktemp("failing")) as made:
        yield made


def every_call(keys):
    return (
        lambda: keys.make(KeyName("acme", "another")),
        lambda: keys.open(KeyName("acme", "another")),
        lambda: keys.destroy(ONE),
        lambda: keys.withdraw("acme"),
        lambda: keys.give_back("acme"),
        keys.withdrawn,
        lambda: list(keys.names()),
    )


def demand_away(keys):
    for call in every_call(keys):
        with pytest.raises(KeysAway):
            call()


def test_sealed_it_opens_nothing_and_unsealed_it_does(server, opened):
    keys = opened(server.url, *server.mount()[::-1])
    key = keys.make(ONE)
    server.seal()
    demand_away(keys)
    server.unseal()
    assert keys.open(ONE) == key


def test_away_it_opens_nothing_and_back_it_does(server, opened):
    keys = opened(server.url, *server.mount()[::-1])
    key = keys.make(ONE)
    server.stop()
    demand_away(keys)
    server.start()
    assert keys.open(ONE) == key


@pytest.mark.parametrize("mode", [Mode.HANGS, Mode.FAILS, Mode.NONSENSE, Mode.SHORT])
def test_whatever_stands_before_it_a_failure_is_told_in_time(server, opened, mode):
    mount, token = server.mount()
    with standing_before(server.port) as liar:
        asked = f"http://127.0.0.1:{liar.port}", token, mount
        key = opened(*asked).make(ONE)
        liar.mode = mode
        demand_away(opened(*asked, SHORT_S))
        liar.mode = Mode.HONEST
        assert opened(*asked).open(ONE) == key


def test_a_token_that_is_refused_or_not_there_is_told(server, opened, door):
    mount, token = server.mount()
    opened(server.url, token, mount).make(ONE)
    wrong = opened(server.url, "s.wrong", mount)
    demand_away(wrong)
    with pytest.raises(KeysAway, match="403"):
        wrong.open(ONE)

    def none() -> str:
        raise KeysAway("there is no token")

    calls = Calls(door, "keys", origin(server.url), LIMIT_S)
    with pytest.raises(KeysAway, match="no token"):
        OpenBaoKeys(calls, none, mount).open(ONE)
    calls.close()


def test_an_engine_that_is_not_there_is_away_and_its_keys_not_gone(server, opened):
    keys = opened(server.url, server.mount()[1], "no-such-mount")
    demand_away(keys)


def test_a_server_that_no_rule_names_is_not_connected_to(server):
    mount, token = server.mount()
    calls = Calls(BlockingDoor(lambda *_: ()), "keys", origin(server.url), LIMIT_S)
    with pytest.raises(KeysAway, match="policy set"):
        OpenBaoKeys(calls, lambda: token, mount).make(ONE)
    calls.close()


def test_the_server_refuses_what_is_withdrawn_whoever_asks_with_that_token(server, opened):
    """Not a mark that we keep to: the transit key itself is of no use."""
    mount, token = server.mount()
    opened(server.url, token, mount).make(ONE)
    opened(server.url, token, mount).withdraw("acme")
    with pytest.raises(KeyWithdrawn):
        opened(server.url, token, mount).open(ONE)
    calls = Calls(BlockingDoor(lambda *_: ("t",)), "keys", origin(server.url), LIMIT_S)
    reply = calls.call(
        "POST",
        f"/v1/{mount}/hmac/tenant.acme/sha2-256",
        {"input": "aGVsbG8="},
        {"x-vault-token": token},
    )
    calls.close()
    assert reply.status == 400
    assert b"soft-deleted" in reply.body


def test_a_withdrawal_on_the_server_itself_is_heard_of(server, opened):
    """The tenant's own people may do it there."""
    mount, token = server.mount()
    now = [0.0]
    keys = opened(server.url, token, mount, monotonic=lambda: now[0])
    keys.make(ONE)
    server.ask("DELETE", f"{mount}/keys/tenant.acme/soft-delete", None)
    assert keys.withdrawn() == {"acme"}
    now[0] += MEMORY_S
    with pytest.raises(KeyWithdrawn):
        keys.open(ONE)


def test_no_key_leaves_the_server_that_could_be_kept(server, opened):
    mount, token = server.mount()
    opened(server.url, token, mount).make(ONE)
    for name in ("tenant.acme", f"asset.{ONE.asset}.acme"):
        said = server.ask("GET", f"{mount}/keys/{name}", None)["data"]
        assert said["exportable"] is False
        assert said["allow_plaintext_backup"] is False


def test_a_key_is_remembered_for_a_moment_and_forgotten_at_once_when_it_must_be(server, opened):
    mount, token = server.mount()
    keys = opened(server.url, token, mount, monotonic=lambda: 0.0)
    key = keys.make(ONE)
    server.freeze()
    try:
        assert keys.open(ONE) == key
    finally:
        server.thaw()
    keys.destroy(ONE)
    with pytest.raises(KeyGone):
        keys.open(ONE)


NONSENSE = [
    Reply(200, b""),
    Reply(200, b"[]"),
    Reply(200, b"{}"),
    Reply(200, b'{"data": []}'),
    Reply(200, b'{"data": {}}'),
    Reply(200, b'{"data": {"hmac": "vault:v1:AAAA", "soft_deleted": 0, "keys": {}}}'),
    Reply(200, b'{"data": {"hmac": "vault:v2:%s"}}' % (b"A" * 43 + b"=")),
    Reply(204, b""),
    Reply(404, b'{"errors": ["no handler for route"]}'),
    Reply(404, b""),
    Reply(500, b"\xff\xfe"),
]


@pytest.mark.parametrize("reply", NONSENSE)
def test_no_answer_but_the_servers_own_words_is_believed(reply: Any) -> None:
    class Says:
        def call(self, *_: object) -> Any:
            return reply

    demand_away(OpenBaoKeys(Says(), lambda: "token"))
