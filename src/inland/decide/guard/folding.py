"""Texts as they are looked at: full-width letters, other scripts' digits and odd dashes made plain.

Each character is folded by itself (NFKC, decimal digits to ASCII, dashes to a hyphen; invisible
ones go), so a text may be cut anywhere. `Fold` remembers where each character came from.
"""

import re
from dataclasses import dataclass
from unicodedata import category, decimal, normalize

#: Of a JSON text: an escape, and one at its end that is not whole yet.
_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt])|u([0-9a-fA-F]{4}))')
_UNFINISHED = re.compile(r"(?<!\\)(?:\\\\)*(\\(?:u[0-9a-fA-F]{0,3})?)\Z")
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_REPLACEMENT = "\ufffd"
_MINUS = "\u2212"
#: Not seen either, though of other categories: fillers, a blank, selectors of variants.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(
    chr(point)
    for first, last in ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
    for point in range(first, last + 1)
)
#: Characters that are remembered with what they become, at most.
_MOST_REMEMBERED = 10_000
#: What one character becomes is no longer than this, in characters: else it is left as it is.
_LONGEST = 4


@dataclass(frozen=True, slots=True)
class Fold:
    """`text` folded. `at`: for each of its characters, and its end, where in the original it
    begins, with what is not seen before it; None where that is the same place."""

    text: str
    at: list[int] | None

    def origin(self, position: int) -> int:
        """Where in the original the folded text's `position` is."""
        if self.at is None or not position:
            return position
        return self.at[position]

    def down(self, position: int) -> int:
        """`position`, or where the original character begins that it is inside of."""
        if self.at is not None:
            while position and self.at[position] == self.at[position - 1]:
                position -= 1
        return position

    def up(self, position: int) -> int:
        """`position`, or where the original character ends that it is inside of."""
        if self.at is not None:
            while 0 < position < len(self.text) and self.at[position] == self.at[position - 1]:
                position += 1
        return position


class _Table(dict[int, int]):
    """What one character becomes, looked up once; those that do not become one are in `others`."""

    def __init__(self) -> None:
        super().__init__()
        self.others: dict[str, str] = {}

    def __missing__(self, point: int) -> int:
        sign = chr(point)
        plain = _plain(sign)
        if len(plain) != 1:
            self.others[sign] = plain  # some thousands in all of Unicode
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        made = self[point] = ord(plain) if len(plain) == 1 else point
        return made


def _plain(sign: str) -> str:
    if sign in _BLANKS:
        return ""
    match category(sign):
        case "Cf":
            return ""  # joiners, marks of direction: nothing that is seen
        case "Cs":
            return _REPLACEMENT
        case "Pd":
            return "-"
        case "Zs":
            return " "
        case "Nd":
            return str(decimal(sign))
        case _:
            plain = "-" if sign == _MINUS else normalize("NFKC", sign)
            return plain if len(plain) <= _LONGEST else sign


_TABLE = _Table()


def folded(text: str) -> str:
    """`text` folded, where nobody asks what came from where."""
    return fold(text).text


def fold(text: str) -> Fold:
    """`text` folded, character by character."""
    if text.isascii():
        return Fold(text, None)
    plain = text.translate(_TABLE)
    others = _TABLE.others
    if others.keys().isdisjoint(text):
        return Fold(plain, None)
    out: list[str] = []
    at: list[int] = []
    for position, sign in enumerate(text):
        made = others[sign] if sign in others else chr(_TABLE[ord(sign)])
        out.append(made)
        at += [position] * len(made)
    return Fold("".join(out), [*at, len(text)])


def fold_json(text: str) -> Fold:
    """As `fold`, of a JSON text, whose escapes stand for what they say. One that is not whole at
    its end is left out, and `at` says where it begins."""
    if "\\" not in text:
        return fold(text)
    cut = _UNFINISHED.search(text)
    end = len(text) if cut is None else cut.start(1)
    out: list[str] = []
    at: list[int] = []
    position = 0
    for found in _ESCAPE.finditer(text, 0, end):
        _add(out, at, text[position : found.start()], position)
        sign, code = found.groups()
        made = folded(chr(int(code, 16)) if code else _CONTROLS.get(sign, sign))
        out.append(made)
        at += [found.start()] * len(made)
        position = found.end()
    _add(out, at, text[position:end], position)
    return Fold("".join(out), [*at, end])


def _add(out: list[str], at: list[int], text: str, position: int) -> None:
    part = fold(text)
    out.append(part.text)
    at += [position + part.origin(place) for place in range(len(part.text))]
