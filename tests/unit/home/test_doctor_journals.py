"""What `inland doctor` says of journals."""

import os
from pathlib import Path
from types import SimpleNamespace

from inland.adapters.home.layout import Home
from inland.adapters.host.findings import Health
from inland.adapters.processes import lock
from inland.bootstrap.doctor import _journals
from inland.ledger.frames import FrameKind, write


def test_a_gateway_that_wrote_nothing_yet_waits_for_nothing(tmp_path: Path, monkeypatch) -> None:
    """However long ago it started; one frame, and it does."""
    monkeypatch.setattr(lock, "running", lambda _path: object())
    segment = tmp_path / "journal" / "gateway-0-a" / "0000000000000000.frames"
    segment.parent.mkdir(parents=True)
    nobody = SimpleNamespace(books=SimpleNamespace(positions=dict))
    for data, told in (
        (b"", "all is booked"),
        (write([(FrameKind.RECORD, b"{}")], 0), "not booked"),
    ):
        segment.write_bytes(data)
        os.utime(segment, (0, 0))
        found = _journals(Home(tmp_path), nobody)
        assert told in found.told
        assert found.health is (Health.BAD if data else Health.GOOD)
