"""Frames to loopback are nobody's business, but for questions to a name server there."""

import json
import subprocess
import sys

import pytest

from inland.adapters.isolation.shut_in import NONE, available

_COUNT = """
import json, socket, sys
from inland.adapters.isolation.network import loopback_up
from inland.adapters.silence.tap import Tap
loopback_up()
tap = Tap()
kind, address, port = sys.argv[1:]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
with socket.socket(family, getattr(socket, kind)) as one:
    try:
        one.connect((address, int(port)))
        one.send(b"a question")
    except ConnectionRefusedError:
        pass
print(json.dumps(tap.counts()))
"""
pytestmark = pytest.mark.skipif(available() == NONE, reason="this kernel gives no namespaces")


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM"])
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.53", "::1"])
def test_a_question_to_a_name_server_here_is_counted_and_nothing_else_here_is(
    kind: str, address: str
) -> None:
    counted = []
    for port in ("53", "54"):
        argv = ["unshare", "-Urn", sys.executable, "-c", _COUNT, kind, address, port]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        counted.append(json.loads(done.stdout))
    assert counted == [{"dns6" if ":" in address else "dns4": 1}, {}]
