"""Patterns that operators name: regular expressions of a bounded kind, read once.

They are RE2's, less what asks about a whole text (`^`, `$`) or is no regular language, and every
match is at most `WIDTH` characters long: an open end (`*`, `+`, `{n,}`) reaches `OPEN` more.
Of each pattern there is a second one, of all that its matches can begin with: so a stream knows at
any moment what may still become a match, and holds nothing else back.
"""

from dataclasses import dataclass, replace
from typing import NoReturn

from inland.decide.guard.folding import folded
from inland.domain.errors import BadInput

#: The longest pattern, and the longest match of one, in characters.
TEXT_CHARACTERS = 512
WIDTH = 4096
#: How many more an open end takes: alone, inside another open end, and around one.
OPEN, INNER, OUTER = 256, 64, 8
#: The most that a count may say: RE2's own bound.
_COUNT = 1000

_CLASSES = {
    "d": "0-9",
    "w": "0-9A-Za-z_",
    "s": r"\t\n\v\f\r ",
}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}


@dataclass(frozen=True, slots=True)
class One:
    """One character: a literal or a class, as it is written."""

    text: str


@dataclass(frozen=True, slots=True)
class Edge:
    """Between two characters: the edge of a word, or none."""

    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One behind the other."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Either:
    """One of several."""

    ways: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Times:
    """Repeated. `most` None: an open end."""

    part: "Node"
    least: int
    most: int | None


Node = One | Edge | Row | Either | Times


@dataclass(frozen=True, slots=True)
class Pattern:
    """`written` matches it, `begun` every beginning of a match, none included; `least` and `most`:
    how long a match is, in characters."""

    written: str
    begun: str
    least: int
    most: int


def pattern(text: str) -> Pattern:
    """What an operator's `text` says. Raises BadInput with what is wrong and where."""
    if not 0 < len(text) <= TEXT_CHARACTERS:
        raise BadInput("pattern", f"it has 1 to {TEXT_CHARACTERS} characters")
    return read(text)


def read(text: str) -> Pattern:
    """As `pattern`, however long."""
    flag = "(?i)"
    caseless = text.startswith(flag)
    reader = _Reader(text, len(flag) if caseless else 0)
    node = _closed(reader.all(), text, within=False)
    least, most = _width(node)
    if least == 0:
        raise BadInput("pattern", f"{text!r} matches the empty text: what is it to find?")
    if most > WIDTH:
        why = f"{text!r} matches up to {most} characters, and {WIDTH} are the most"
        raise BadInput("pattern", f"{why}: say how often with {{n,m}}")
    kind = "(?i:" if caseless else "(?:"
    return Pattern(f"{kind}{_written(node)})", f"{kind}{_begun(node)})", least, most)


class _Reader:
    """Reads one pattern from left to right."""

    def __init__(self, text: str, at: int) -> None:
        self._text = text
        self._at = at

    def all(self) -> Node:
        node = self._either()
        if self._next():
            self._refuse("an unmatched )")
        return node

    def _refuse(self, what: str) -> NoReturn:
        raise BadInput("pattern", f"{self._text!r}, character {self._at + 1}: {what}")

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, what: str) -> bool:
        if not self._text.startswith(what, self._at):
            return False
        self._at += len(what)
        return True

    def _either(self) -> Node:
        ways = [self._row()]
        while self._take("|"):
            ways.append(self._row())
        return ways[0] if len(ways) == 1 else Either(tuple(ways))

    def _row(self) -> Node:
        parts = []
        while self._next() not in {"", "|", ")"}:
            parts.append(self._repeated())
        return parts[0] if len(parts) == 1 else Row(tuple(parts))

    def _repeated(self) -> Node:
        part = self._part()
        least, most = self._count()
        if (least, most) == (1, 1):
            return part
        if isinstance(part, Edge):
            self._refuse("an edge cannot be repeated")
        if self._next() in {"?", "+", "*", "{"}:
            self._refuse("a repeat of a repeat; the longest match is always taken")
        return Times(part, least, most)

    def _count(self) -> tuple[int, int | None]:
        for sign, least, most in (("?", 0, 1), ("*", 0, None), ("+", 1, None)):
            if self._take(sign):
                return least, most
        if not self._take("{"):
            return 1, 1
        end = self._text.find("}", self._at)
        low, comma, high = self._text[self._at : max(end, self._at)].partition(",")
        if end < 0 or not _is_count(low) or not (high == "" or _is_count(high)):
            self._refuse("a count is {n}, {n,} or {n,m}; a brace itself is \\{")
        self._at = end + 1
        least = int(low)
        most = (int(high) if high else None) if comma else least
        if least > _COUNT or (most is not None and not max(least, 1) <= most <= _COUNT):
            self._refuse(f"a count is at most {_COUNT}, and rises")
        return least, most

    def _part(self) -> Node:
        sign = self._next()
        if sign in {"*", "+", "?", "{"}:
            self._refuse("nothing to repeat; the sign itself is written with \\")
        if sign in {"^", "$"}:
            self._refuse(f"{sign} is about a whole text, and a stream has none; use \\b")
        self._at += 1
        if sign == "(":
            return self._group()
        if sign == "[":
            return One(self._class())
        if sign == ".":
            return One(r"[^\n]")
        if sign == "\\":
            return self._escaped()
        return _literal(sign)

    def _group(self) -> Node:
        if self._next() == "?" and not self._take("?:"):
            self._refuse("of (?...) only (?:...) is read, and (?i) at the very beginning")
        node = self._either()
        if not self._take(")"):
            self._refuse("a ) is missing")
        return node

    def _escaped(self) -> Node:
        sign = self._next()
        self._at += 1
        if sign in {"b", "B"}:
            return Edge(f"\\{sign}")
        if sign.lower() in _CLASSES:
            return One(f"[{'' if sign.islower() else '^'}{_CLASSES[sign.lower()]}]")
        return _literal(self._sign(sign))

    def _sign(self, sign: str) -> str:
        """The character that a backslash before `sign` stands for."""
        if sign in _CONTROLS:
            return _CONTROLS[sign]
        if not sign or (sign.isalnum() and sign.isascii()):
            self._at -= 1
            self._refuse(f"\\{sign} is not read; there are \\d \\w \\s \\b and \\n")
        return sign

    def _class(self) -> str:
        """What stands between brackets, the opening one read already."""
        out = ["[^" if self._take("^") else "["]
        first = True
        while first or self._next() != "]":
            if not self._next():
                self._refuse("a ] is missing")
            out.append(self._member())
            first = False
        self._at += 1
        return "".join(out) + "]"

    def _member(self) -> str:
        low = self._char()
        if len(low) > 1:
            return low
        if self._next() == "-" and self._text[self._at + 1 : self._at + 2] not in {"", "]"}:
            self._at += 1
            high = self._char()
            if len(high) > 1 or high < low:
                self._refuse("a range goes from a character to a later one")
            return f"{_escape(low)}-{_escape(high)}"
        return _escape(low)

    def _char(self) -> str:
        """One character of a class, or what a named class has in it (longer)."""
        sign = self._next()
        self._at += 1
        if sign == "[" and self._next() in {":", "=", "."}:
            self._refuse("classes in a class are \\d, \\w and \\s")
        if sign != "\\":
            return sign
        sign = self._next()
        self._at += 1
        if sign in _CLASSES:
            return _CLASSES[sign]
        return self._sign(sign)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 4


def _literal(sign: str) -> Node:
    """A character as texts are folded: a full-width one as its plain one, say."""
    ones = tuple(One(_escape(one)) for one in folded(sign))
    return ones[0] if len(ones) == 1 else Row(ones)


def _escape(sign: str) -> str:
    return sign if sign.isalnum() or not sign.isascii() else f"\\{sign}"


def _closed(node: Node, text: str, *, within: bool) -> Node:
    """With every open end bounded."""
    match node:
        case Row(parts):
            return Row(tuple(_closed(one, text, within=within) for one in parts))
        case Either(ways):
            return Either(tuple(_closed(one, text, within=within) for one in ways))
        case Times(part, least, None):
            around = _has_open(part)
            if around and within:
                raise BadInput("pattern", f"{text!r}: open ends three deep; say {{n,m}}")
            reach = OUTER if around else INNER if within else OPEN
            return Times(_closed(part, text, within=True), least, min(_COUNT, least + reach))
        case Times(part, _, _):
            return replace(node, part=_closed(part, text, within=within))
        case _:
            return node


def _has_open(node: Node) -> bool:
    match node:
        case Row(parts):
            return any(map(_has_open, parts))
        case Either(ways):
            return any(map(_has_open, ways))
        case Times(part, _, most):
            return most is None or _has_open(part)
        case _:
            return False


def _width(node: Node) -> tuple[int, int]:
    match node:
        case One():
            return 1, 1
        case Edge():
            return 0, 0
        case Row(parts):
            widths = [_width(one) for one in parts]
            return sum(low for low, _ in widths), sum(high for _, high in widths)
        case Either(ways):
            widths = [_width(one) for one in ways]
            return min(low for low, _ in widths), max(high for _, high in widths)
        case Times(part, least, most):
            low, high = _width(part)
            assert most is not None, "open ends were bounded"
            return low * least, high * most


def _written(node: Node) -> str:
    """It in RE2's words, and Python's."""
    match node:
        case One(text) | Edge(text):
            return text
        case Row(parts):
            return "".join(
                f"(?:{_written(one)})" if isinstance(one, Either) else _written(one)
                for one in parts
            )
        case Either(ways):
            return "|".join(map(_written, ways))
        case Times(part, least, most):
            one = _written(part) if isinstance(part, One) else f"(?:{_written(part)})"
            return f"{one}{{{least},{most}}}"


def _begun(node: Node) -> str:
    """Every beginning of it, none and the whole included."""
    match node:
        case One(text):
            return f"{text}?"
        case Edge():
            return ""
        case Row(parts):
            rest = ""
            for one in reversed(parts):
                rest = _then(one, rest)
            return rest
        case Either(ways):
            return f"(?:{'|'.join(map(_begun, ways))})"
        case Times(part, _, most):
            assert most is not None, "open ends were bounded"
            if isinstance(part, One):
                return f"{part.text}{{0,{most}}}"
            return f"(?:{_written(part)}){{0,{most - 1}}}{_begun(part)}"


def _then(first: Node, rest: str) -> str:
    """Every beginning of `first` and of what follows it, whose beginnings are `rest`."""
    if not rest:
        return _begun(first)
    if isinstance(first, One | Edge):
        return f"(?:{first.text}{rest})?"
    return f"(?:{_begun(first)}|(?:{_written(first)}){rest})"
