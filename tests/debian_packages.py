"""The Debian packages that some tests, or the benches (`--bench`), need.

Run as root it installs those that are missing; else it names them.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

#: Package → what shows that it is there: a program on PATH, or a folder.
TESTS = {
    "golang-go": "go",
    "golang-golang-x-mod-dev": "/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog",
    "nginx-light": "nginx",
    "postgresql": "/usr/lib/postgresql",
    "strace": "strace",
}
BENCHES = {"age": "age", "nginx-light": "nginx", "wrk": "wrk", "gcc": "gcc"}
#: Debian keeps daemons here, off a plain user's PATH.
DAEMONS = "/usr/sbin:/sbin"


def present(sign: str) -> bool:
    """Whether the program or folder `sign` is on this machine."""
    if sign.startswith("/"):
        return Path(sign).exists()
    return shutil.which(sign, path=f"{os.environ.get('PATH', '')}:{DAEMONS}") is not None


def missing(needed: dict[str, str]) -> list[str]:
    """The packages that are not installed, in order."""
    return [package for package, sign in needed.items() if not present(sign)]


def main() -> int:
    """Install what is missing if that is possible here; 1 if an installation failed."""
    bench = "--bench" in sys.argv[1:]
    wanted = missing(BENCHES if bench else TESTS)
    if not wanted:
        return 0
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        print(f"not installed, so what needs them is left out: {' '.join(wanted)}")
        return 0
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *wanted]):
        done = subprocess.run([apt, "-qq", *command], env=quiet, check=False)
        if done.returncode != 0:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
