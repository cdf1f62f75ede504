"""Control's end of shares: a gateway that is dead when it is heard holds nothing."""

import selectors
import subprocess
import sys

from inland.adapters.feed.dealing import Dealing, Speaker
from inland.adapters.feed.frames import Wants
from inland.decide.shares import Shares
from inland.domain.shares import Demand
from tests.unit.gateway.world import snapshot


def test_what_a_dead_gateway_had_said_holds_no_slot():
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    with selectors.DefaultSelector() as selector:
        shares = Shares()
        dealing = Dealing(shares, selector)
        dealing.plan(snapshot())
        dealing.lived(())
        dead = Speaker(bytearray())
        for number in (1, 2):
            wants = Wants(number, "w0", 0, {"smol": Demand((0, 1), {"demo": (4, 2, 0)})})
            dealing.wants(dead, child.pid, wants)
        assert dealing.deal(1.0) == []
        assert not shares._pools["smol"].holders
        assert not dealing.must_look
        dealing.close()
