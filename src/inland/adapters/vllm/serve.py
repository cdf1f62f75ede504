"""The process around one `vllm serve`: starts it, ends with it, and ends it with itself.

vLLM compiles kernels, talks to accelerators and starts workers, so its files are not shut in; its
network is: it has a loopback of its own and nothing else, no road beside networks either.
"""

import os
import select
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from inland.adapters.isolation.network import leave_network, loopback_up
from inland.adapters.isolation.shut_in import NONE, is_filtered
from inland.adapters.processes.stopping import stop_signal
from inland.adapters.silence.filter import hold
from inland.adapters.silence.kernel import die_with_parent
from inland.adapters.vllm.command import command, environment, program
from inland.domain.errors import Damaged
from inland.ports.runner import EngineSpec

#: What it gets between being asked to end and being killed, in seconds; less than what this process
#: gets of its supervisor. It has drained before.
GRACE_S = 4.0


def serve(spec: EngineSpec, given: Mapping[str, str]) -> None:
    """Run it until SIGTERM comes, or who started this process ends: its workers end first, too.

    Raises NotFound where there is no vLLM, OSError where its isolation is not to be had, Damaged
    where it ended by itself.
    """
    os.umask(0o077)
    argv = command(spec, program(given.get("PATH")))
    told = environment(spec, given)
    stop = stop_signal()
    die_with_parent(signal.SIGTERM)
    if spec.isolation != NONE:
        leave_network()
        loopback_up()
    if is_filtered(spec.isolation):
        hold()
    Path(spec.socket).unlink(missing_ok=True)
    child = subprocess.Popen(
        argv,
        env=told,
        stdin=subprocess.DEVNULL,
        process_group=0,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - no thread runs here yet
    )
    try:
        _wait(child, stop)
    finally:
        _end(child)
        Path(spec.socket).unlink(missing_ok=True)


def _wait(child: "subprocess.Popen[bytes]", stop: int) -> None:
    ended = os.pidfd_open(child.pid)
    try:
        readable, _, _ = select.select([ended, stop], [], [])
    finally:
        os.close(ended)
    if readable == [ended]:
        raise Damaged("vllm serve", f"it ended by itself, status {child.wait()}")


def _end(child: "subprocess.Popen[bytes]") -> None:
    """All of it: its workers are in its process group."""
    try:
        child.terminate()
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    finally:
        _kill_group(child.pid)


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
