"""Which file systems are this machine's own is told by the kernel's list of mounts."""

from pathlib import Path

import pytest

from inland.adapters.silence import keeper, served
from inland.adapters.silence.cage import Command
from inland.adapters.silence.served import LiesThere, covered
from inland.adapters.silence.view import View

MOUNTS = """\
21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
22 21 0:5 / /data rw,relatime shared:1 - nfs4 store:/data rw,vers=4.2
23 22 254:1 / /data/local rw,relatime - xfs /dev/vdb rw
24 21 0:6 / /opt/a\\040b rw,relatime - fuse.sshfs me@store:/ rw
25 21 0:7 / /opt/maps rw,relatime - autofs systemd-1 rw
26 21 0:8 / /srv rw,relatime - cifs //store/srv rw
27 21 254:2 / /srv rw,relatime - btrfs /dev/vdc rw
28 21 0:9 / /opt/some rw,relatime - somethingnewfs none rw
"""


def test_what_is_served_below_what_may_be_read_is_named() -> None:
    found = covered((Path("/opt"), Path("/usr"), Path("/data/local")), MOUNTS)
    assert [(str(one.point), one.kind) for one in found] == [
        ("/opt/a b", "fuse.sshfs"),
        ("/opt/maps", "autofs"),
        ("/opt/some", "somethingnewfs"),
    ]


@pytest.mark.parametrize("path", ["/data", "/data/set", "/opt/a b/x", "/opt/maps"])
def test_what_lies_there_is_refused(path: str) -> None:
    with pytest.raises(LiesThere, match="sees what is read and written there"):
        covered((Path(path),), MOUNTS)


def test_the_later_mount_is_over_the_earlier() -> None:
    assert covered((Path("/srv/x"),), MOUNTS) == ()


@pytest.mark.parametrize("view", [View((Path("/data/x"),)), View((), (Path("/data/x"),))])
def test_what_is_served_is_neither_read_nor_written(
    view: View, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)
    monkeypatch.setattr(served, "_MOUNTS", tmp_path / "mountinfo")
    monkeypatch.setattr(keeper, "leave", lambda: pytest.fail("it went on"))
    found = keeper.keep(view, Command((), {}, tmp_path), -1, 0, 0.0)
    assert "/data/x lies on /data (nfs4, store:/data)" in found.why
