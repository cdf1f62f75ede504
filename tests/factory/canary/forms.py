"""The forms in which a planted text could rest: as it is, encoded, escaped, turned round, packed.

A canary is looked for by its halves, so that one cut in the middle is found too.
"""

import base64
import bz2
import lzma
import random
import re
import string
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

#: Letters of a canary, and of the pieces it is looked for by.
CHARS, PIECE_CHARS = 48, 24
#: What is unpacked of anything that is packed, at most, and how often packed in packed.
UNPACKED_BYTES, DEPTH = 64 << 20, 2
_PACKED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|BZh[1-9]1AY&SY|\xfd7zXZ\x00|PK\x03\x04")
_ZIP_HEAD_BYTES = 30


def canary(seed: str) -> str:
    """A text that nobody writes by chance, and that no encoding has to escape."""
    dice = random.Random(seed)
    return "".join(dice.choice(string.ascii_letters + string.digits) for _ in range(CHARS))


@dataclass(frozen=True)
class Needles:
    """What is looked for: planted texts by name."""

    canaries: Mapping[str, str]

    @cached_property
    def forms(self) -> dict[bytes, str]:
        """Each form of each piece, and what it is called."""
        found: dict[bytes, str] = {}
        for name, text in self.canaries.items():
            for at in range(0, len(text) - PIECE_CHARS + 1, PIECE_CHARS):
                for form, data in _forms(text[at : at + PIECE_CHARS]):
                    found.setdefault(data, f"{name} ({form})")
        return found

    def found_in(self, data: bytes, depth: int = DEPTH) -> set[str]:
        """The canaries in `data`, with the form, packed ones included."""
        there = {name for needle, name in self.forms.items() if needle in data}
        if depth:
            for what, inside in _unpacked(data):
                there |= {f"{one}, {what}" for one in self.found_in(inside, depth - 1)}
        return there


def _forms(text: str) -> Iterator[tuple[str, bytes]]:
    for encoding in ("ascii", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        data = text.encode(encoding)
        yield encoding, data
        yield f"{encoding} reversed", data[::-1]
        yield f"{encoding} in hex", data.hex().encode()
        yield f"{encoding} in HEX", data.hex().upper().encode()
        for form, made in _in_groups(data):
            yield f"{encoding} in {form}", made
    yield "escaped for JSON", "".join(f"\\u{ord(one):04x}" for one in text).encode()
    yield "escaped in hex", "".join(f"\\x{ord(one):02x}" for one in text).encode()
    yield "percent", "".join(f"%{ord(one):02x}" for one in text).encode()
    yield "PERCENT", "".join(f"%{ord(one):02X}" for one in text).encode()
    yield "numbers", ",".join(str(ord(one)) for one in text).encode()
    yield "spaced numbers", ", ".join(str(ord(one)) for one in text).encode()
    yield "rot13", text.translate(_ROT13).encode()
    yield "swapped case", text.swapcase().encode()


_LETTERS = string.ascii_lowercase
_ROT13 = str.maketrans(
    _LETTERS + _LETTERS.upper(),
    _LETTERS[13:] + _LETTERS[:13] + _LETTERS[13:].upper() + _LETTERS[:13].upper(),
)
_Encode = Callable[[bytes], bytes]
#: Bytes and letters of a group of each, how it is made.
_GROUPED: tuple[tuple[str, int, int, int, _Encode], ...] = (
    ("base64", 3, 4, 6, base64.b64encode),
    ("base64url", 3, 4, 6, base64.urlsafe_b64encode),
    ("base32", 5, 8, 5, base64.b32encode),
)


def _in_groups(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Base64 and its like, wherever in a group the text begins; what its neighbours change of the
    first and last letter is left out."""
    for name, group, letters, bits, encode in _GROUPED:
        for before in range(group):
            made = encode(bytes(before) + data)
            first = -(-before * 8 // bits)
            whole = (before + len(data)) // group * letters
            yield name, made[first:whole]


def _unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    for match in _PACKED.finditer(data):
        magic, rest = match.group(), data[match.start() :]
        with suppress(zlib.error, OSError, EOFError, ValueError, lzma.LZMAError):
            if magic.startswith(b"PK"):
                begins = int.from_bytes(rest[26:28], "little") + int.from_bytes(
                    rest[28:30], "little"
                )
                inside = zlib.decompressobj(-15).decompress(
                    rest[_ZIP_HEAD_BYTES + begins :], UNPACKED_BYTES
                )
            elif magic.startswith(b"BZh"):
                inside = bz2.BZ2Decompressor().decompress(rest, UNPACKED_BYTES)
            elif magic.startswith(b"\xfd"):
                inside = lzma.LZMADecompressor().decompress(rest, UNPACKED_BYTES)
            else:
                inside = zlib.decompressobj(47).decompress(rest, UNPACKED_BYTES)
            if inside:
                yield "packed", inside


def names(found: Iterable[str]) -> set[str]:
    """Of what was found, which canaries."""
    return {one.partition(" ")[0] for one in found}
