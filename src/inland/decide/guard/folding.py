"""Texts as they are looked at: full-width letters, other scripts' digits and odd dashes made plain.

Each character is folded by itself (NFKC, decimal digits to ASCII, dashes to a hyphen; invisible
ones go, `UNSEEN_IN_A_ROW` at most), so a text may be cut anywhere. `Folding` takes it as it comes,
looks at each character once, and remembers where it came from.
"""

import re
from array import array
from unicodedata import category, decimal, normalize

#: Of a JSON text: an escape (two of halves of a character are one), and one that is not whole yet.
_ESCAPE = re.compile(
    r'\\(?:(["\\/bfnrt])|u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})'
    r"|u([0-9a-fA-F]{4}))"
)
_UNFINISHED = re.compile(
    r"(?<!\\)(?:\\\\)*(\\(?:u(?:[0-9a-fA-F]{0,3}"
    r"|[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u(?:[dD](?:[c-fC-F][0-9a-fA-F]?)?)?)?)?))?)\Z"
)
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_REPLACEMENT = "\ufffd"
_MINUS = "\u2212"
#: Not seen either, though of other categories: fillers, a blank, selectors of variants.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(
    chr(point)
    for first, last in ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
    for point in range(first, last + 1)
)
#: Invisible characters in a row that come to nothing, at most: one more is `HIDDEN`, so that what
#: is held back for what may follow them has an end. No text folds to that by itself.
UNSEEN_IN_A_ROW = 64
HIDDEN = "\ufdd0"
#: Characters that are remembered with what they become, at most.
_MOST_REMEMBERED = 10_000
#: How places in a text are kept: four bytes each, for there may be millions.
_PLACES = "I"
#: A text that is looked at in one go rather than character by character, in characters.
_LONG = 64
#: What one character becomes is no longer than this, in characters: else it is left as it is.
_LONGEST = 4


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

    def of(self, sign: str) -> str:
        """What a character becomes: none of them, one, or a few."""
        made = chr(self[ord(sign)])  # first, for it may be new to `others`
        return self.others.get(sign, made)


def _plain(sign: str) -> str:
    if sign in _BLANKS:
        return ""
    if sign == HIDDEN:
        return _REPLACEMENT
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
    whole = Folding()
    whole.add(text)
    return whole.text


class Folding:
    """A text as it comes. `came`: what of it was not let go; `text`: that, folded.

    Of a JSON text escapes stand for what they say; one that is not whole yet waits in `came`. An
    invisible character belongs to no other: it lies between the `end` of one and the `start` of the
    next. Positions are of `text`.
    """

    __slots__ = ("_ends", "_is_json", "_starts", "_unseen", "came", "read", "text")

    def __init__(self, *, is_json: bool = False) -> None:
        self.came = self.text = ""
        self.read = 0  # how much of `came` was folded
        self._is_json = is_json
        self._unseen = 0  # invisible characters that it ends with, those let go included
        #: For each folded character, where in `came` it begins and ends; None: at its own place.
        self._starts: array[int] | None = None
        self._ends = array(_PLACES)

    def add(self, came: str) -> bool:
        """More of it; whether there is more to look at."""
        self.came += came
        part = self.came[self.read :] if self.read else self.came
        out: list[str] = []
        if self._is_json and "\\" in part:
            self._add_json(part, out)
        else:
            self._add(part, out)
        made = "".join(out)
        self.text += made
        return bool(made)

    @property
    def is_plain(self) -> bool:
        """Whether each character became one, so that places are the same in both."""
        return self._starts is None

    def start(self, position: int) -> int:
        """Where in `came` the character at `position` begins; of the end, what was read."""
        if self._starts is None:
            return position
        return self._starts[position] if position < len(self._starts) else self.read

    def end(self, position: int) -> int:
        """Where in `came` the character before `position` ends; 0 where there is none."""
        if self._starts is None or not position:
            return position
        return self._ends[position - 1]

    def down(self, position: int) -> int:
        """`position`, or where the original character begins that it is inside of."""
        if self._starts is not None:
            while self._is_inside(position):
                position -= 1
        return position

    def up(self, position: int) -> int:
        """`position`, or where the original character ends that it is inside of."""
        if self._starts is not None:
            while self._is_inside(position):
                position += 1
        return position

    def _is_inside(self, position: int) -> bool:
        starts = self._starts
        if starts is None or not 0 < position < len(starts):
            return False
        return starts[position] == starts[position - 1]

    def let_go(self, position: int) -> None:
        """What stands before `position` is of no more use."""
        cut = self.start(position)
        self.came, self.text = self.came[cut:], self.text[position:]
        self.read -= cut
        if not self.text:
            self._starts, self._ends = None, array(_PLACES)
        elif self._starts is not None and cut:
            self._starts = array(_PLACES, (one - cut for one in self._starts[position:]))
            self._ends = array(_PLACES, (one - cut for one in self._ends[position:]))

    def _add_json(self, part: str, out: list[str]) -> None:
        """Up to an escape at its end that is not whole."""
        begin = self.read
        cut = _UNFINISHED.search(part)
        end = len(part) if cut is None else cut.start(1)
        position = 0
        for found in _ESCAPE.finditer(part, 0, end):
            self._add(part[position : found.start()], out)
            self._put(_said(found), begin + found.start(), begin + found.end(), out)
            position = found.end()
        self._add(part[position:end], out)

    def _add(self, part: str, out: list[str]) -> None:
        """Characters that stand for themselves."""
        if part.isascii():
            self._same(part, out)
        elif len(part) >= _LONG:
            self._add_long(part, out)
        else:
            plain = part.translate(_TABLE)
            if _TABLE.others.keys().isdisjoint(part):
                self._same(plain, out)
                return
            for at, sign in enumerate(part, self.read):
                self._put(sign, at, at + 1, out)

    def _add_long(self, part: str, out: list[str]) -> None:
        from inland.decide.guard import characters  # arrays take memory, and most texts need none

        made = characters.folded(part, _TABLE.of, self._unseen, UNSEEN_IN_A_ROW, HIDDEN)
        if made.of is None:
            self._same(made.text, out)
            return
        starts, begins = self._places(), made.of + self.read
        starts.frombytes(begins.astype(_PLACES).tobytes())
        self._ends.frombytes((begins + 1).astype(_PLACES).tobytes())
        self._unseen = made.unseen
        self.read += len(part)
        out.append(made.text)

    def _places(self) -> "array[int]":
        """Where characters begin, from here on apart from where they stand."""
        if self._starts is None:
            self._starts = array(_PLACES, range(self.read))
            self._ends = array(_PLACES, range(1, self.read + 1))
        return self._starts

    def _same(self, plain: str, out: list[str]) -> None:
        """Characters of which each became one."""
        if not plain:
            return
        begin, self.read = self.read, self.read + len(plain)
        if self._starts is not None:
            self._starts.extend(range(begin, self.read))
            self._ends.extend(range(begin + 1, self.read + 1))
        out.append(plain)
        self._unseen = 0

    def _put(self, sign: str, start: int, end: int, out: list[str]) -> None:
        """One character, written from `start` to `end`."""
        starts, made = self._places(), _TABLE.of(sign)
        self._unseen = 0 if made else self._unseen + 1
        if self._unseen > UNSEEN_IN_A_ROW:
            made, self._unseen = HIDDEN, 0
        starts.extend([start] * len(made))
        self._ends.extend([end] * len(made))
        out.append(made)
        self.read = end


def _said(escape: re.Match[str]) -> str:
    """The character that an escape says."""
    sign, high, low, code = escape.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))
    return chr(int(code, 16)) if code else _CONTROLS.get(sign, sign)
