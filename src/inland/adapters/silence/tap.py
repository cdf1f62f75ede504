"""The count of what would have left: every frame of the namespace to another address than loopback.

A packet socket sees each frame, whatever made it: TCP, UDP, ICMP, any other protocol, frames put on
the wire by hand. The kernel itself leaves out what goes to 127.0.0.0/8 and ::1, save questions to a
name server there, over UDP and TCP: outside the namespace, one would have passed them on.
"""

import ctypes
import socket
import struct
from collections import Counter
from ipaddress import ip_address

from inland.adapters.silence.bpf import (
    LENGTH_OF_HEAD,
    LOAD,
    LOAD_BYTE,
    LOAD_SHORT,
    LOAD_SHORT_BEHIND,
    RETURN,
    Instruction,
    do,
    either,
    packed,
    when,
)

_ALL_FRAMES = 3
_OUTGOING = 4
_ATTACH_FILTER, _PACKET, _STATISTICS = 26, 263, 6
_HEAD_BYTES, _ETHERNET_BYTES = 128, 14
_BUFFER_BYTES = 1 << 22
_NAMES_PORT = 53
_TCP, _UDP, _ICMP, _ICMP6 = 6, 17, 1, 58
_IPV4, _IPV6 = 0x0800, 0x86DD


def _program() -> list[Instruction]:
    """Offsets are from the Ethernet head, which loopback's frames have too."""
    no, yes = do(RETURN, 0), do(RETURN, _HEAD_BYTES)
    names = [*when(_NAMES_PORT, [yes]), no]
    port = [do(LENGTH_OF_HEAD, _ETHERNET_BYTES), do(LOAD_SHORT_BEHIND, _ETHERNET_BYTES + 2)]
    loopback = [do(LOAD_BYTE, 23), *either((_UDP, _TCP), [*port, *names]), no]
    port6 = [do(LOAD_SHORT, 56), *names]
    loopback6 = [do(LOAD_BYTE, 20), *either((_UDP, _TCP), port6), no]
    ipv6 = [do(LOAD, 50), *when(1, loopback6)]
    for word in (46, 42, 38):
        ipv6 = [do(LOAD, word), *when(0, ipv6)]
    ipv4 = [do(LOAD_BYTE, 30), *when(127, loopback), yes]
    return [do(LOAD_SHORT, 12), *when(_IPV4, ipv4), *when(_IPV6, [*ipv6, yes]), yes]


class Tap:
    """Counts from its making on. In the namespace whose frames it is to see, with its rights."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        text = packed(_program())
        kept = ctypes.create_string_buffer(text, len(text))
        told = struct.pack("HL", len(text) // 8, ctypes.addressof(kept))
        self._socket.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, told)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._socket.bind(("lo", _ALL_FRAMES))
        self._socket.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        self._sent: Counter[str] = Counter()
        self._received: Counter[str] = Counter()
        self._unread = 0
        self.first = ""

    def fileno(self) -> int:
        """For a selector: readable when there is something to count."""
        return self._socket.fileno()

    def read(self) -> None:
        """Count what has come."""
        while True:
            try:
                frame, where = self._socket.recvfrom(_HEAD_BYTES)
            except BlockingIOError:
                break
            kind, to = _told(frame)
            counts = self._sent if where[2] == _OUTGOING else self._received
            counts[kind] += 1
            self.first = self.first or to
        _, dropped = struct.unpack("II", self._socket.getsockopt(_PACKET, _STATISTICS, 8))
        self._unread += dropped

    def counts(self) -> dict[str, int]:
        """By protocol. A frame is seen as it leaves and as it arrives, and counted once; `unread`:
        more than could be looked at."""
        self.read()
        found = dict(sorted((self._sent | self._received).items()))
        return found | ({"unread": self._unread} if self._unread else {})


_PROTOCOLS = {_TCP: "tcp", _UDP: "udp", _ICMP: "icmp", _ICMP6: "icmp"}


def _told(frame: bytes) -> tuple[str, str]:
    """What a frame is, in a word, and where it was to go."""
    kind = int.from_bytes(frame[12:14], "big")
    packet = frame[_ETHERNET_BYTES:]
    if kind == _IPV4 and len(packet) >= 20:
        return _packet("4", packet[9], packet[16:20], packet[4 * (packet[0] & 15) :])
    if kind == _IPV6 and len(packet) >= 40:
        return _packet("6", packet[6], packet[24:40], packet[40:])
    return "frame", f"a frame of kind {kind:#06x}"


def _packet(version: str, protocol: int, to: bytes, rest: bytes) -> tuple[str, str]:
    address = ip_address(to)
    port = int.from_bytes(rest[2:4], "big") if protocol in {_TCP, _UDP} else 0
    name = _PROTOCOLS.get(protocol, "raw")
    if to == b"\xff" * 4:
        name = "broadcast"
    elif address.is_multicast:
        name = "multicast"
    elif port == _NAMES_PORT:
        name = "dns"
    return name + version, f"{address} port {port}" if port else f"{address} ({name}{version})"
