"""The Debian packages some tests need.

Run as root it installs those that are missing; else it names them.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

#: Package → what shows that it is there: a program on PATH, or a folder.
NEEDED = {
    "golang-go": "go",
    "golang-golang-x-mod-dev": "/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog",
    "nginx-light": "nginx",
    "strace": "strace",
}
#: Debian keeps daemons here, off a plain user's PATH.
DAEMONS = "/usr/sbin:/sbin"


def present(sign: str) -> bool:
    """Whether the program or folder `sign` is on this machine."""
    if sign.startswith("/"):
        return Path(sign).exists()
    return shutil.which(sign, path=f"{os.environ.get('PATH', '')}:{DAEMONS}") is not None


def missing() -> list[str]:
    """The packages that are not installed, in order."""
    return [package for package, sign in NEEDED.items() if not present(sign)]


def main() -> int:
    """Install what is missing if that is possible here; 1 if an installation failed."""
    wanted = missing()
    if not wanted:
        return 0
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        print(f"not installed, so some tests will skip: {' '.join(wanted)}")
        return 0
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *wanted]):
        done = subprocess.run([apt, "-qq", *command], env=quiet, check=False)
        if done.returncode != 0:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
