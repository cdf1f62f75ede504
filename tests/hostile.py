"""What hostile callers send, each case with the status that answers it.

One table for the parser in process and for a whole factory; `SERVED` looks odd and is right.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

CHAT = b"POST /v1/chat/completions HTTP/1.1\r\n"
#: Behind every hostile request: if this were answered, something was smuggled.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
SERVED = 200
#: Makes a chat request with more fields, or with another turn.
Ask = Callable[..., bytes]


@dataclass(frozen=True)
class Wire:
    """One request. `head` follows Host and Authorization; `first` is the request line."""

    status: int
    head: bytes = b""
    body: bytes = b""
    first: bytes = CHAT
    text: bytes = b""  # what it says where it is served

    def request(self, authorization: bytes) -> bytes:
        return b"%bHost: localhost\r\nAuthorization: Bearer %b\r\n%b\r\n%b" % (
            self.first,
            authorization,
            self.head,
            self.body,
        )


def wires(model: str) -> dict[str, Wire]:
    """Every case of framing, by its name. `model` answers where a case is to be served."""
    ask = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8}
    text = json.dumps(ask).encode()
    cases = _lengths(text) | _encodings(text) | _chunks(text) | _heads(text) | _targets(text)
    return {name: replace(case, text=text) for name, case in cases.items()}


def _length(text: bytes) -> bytes:
    return b"Content-Length: %d\r\n" % len(text)


def _chunked(text: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(text), text)


CHUNKED = b"Transfer-Encoding: chunked\r\n"


def _lengths(text: bytes) -> dict[str, Wire]:
    n, length = len(text), _length(text)
    return {
        "length and chunks": Wire(400, b"Content-Length: 6\r\n" + CHUNKED, b"0\r\n\r\nG"),
        "chunks and length": Wire(400, CHUNKED + b"Content-Length: 4\r\n", _chunked(b"GPOST / ")),
        "the same length twice": Wire(400, length * 2, text),
        "a list of lengths": Wire(400, b"Content-Length: %d, %d\r\n" % (n, n), text),
        "two lengths": Wire(400, length + b"Content-Length: 3\r\n", text),
        "negative length": Wire(400, b"Content-Length: -1\r\n", text),
        "plus-signed length": Wire(400, b"Content-Length: +%d\r\n" % n, text),
        "hexadecimal length": Wire(400, b"Content-Length: 0x%x\r\n" % n, text),
        "length with a blank inside": Wire(400, b"Content-Length: 1 0\r\n", text),
        "length with an underscore": Wire(400, b"Content-Length: 1_0\r\n", text),
        "length in other digits": Wire(400, "Content-Length: ٣\r\n".encode(), text),
        "length with a vertical tab": Wire(400, b"Content-Length: \x0b%d\r\n" % n, text),
        "empty length": Wire(400, b"Content-Length:\r\n", text),
        "length and blank before colon": Wire(400, b"Content-Length : %d\r\n" % n, text),
        "length beyond 64 bits": Wire(400, b"Content-Length: 18446744073709551617\r\n", text),
        "length beyond 63 bits": Wire(413, b"Content-Length: 9223372036854775808\r\n", text),
        "length beyond the limit": Wire(413, b"Content-Length: 20000000\r\n", text),
        "length with zeros before": Wire(SERVED, b"Content-Length: 000%d\r\n" % n, text),
        "length with blanks behind": Wire(SERVED, b"Content-Length: %d \t\r\n" % n, text),
    }


def _encodings(text: bytes) -> dict[str, Wire]:
    body, length = _chunked(text), _length(text)
    refused = {
        "xchunked": (501, b"Transfer-Encoding: xchunked\r\n"),
        "blank before colon": (400, b"Transfer-Encoding : chunked\r\n"),
        "chunked and another": (400, CHUNKED + b"Transfer-Encoding: x\r\n"),
        "chunked twice": (400, CHUNKED * 2),
        "vertical tab": (400, b"Transfer-Encoding: \x0bchunked\r\n"),
        "form feed": (400, b"Transfer-Encoding: \x0cchunked\r\n"),
        "tab behind": (501, b"Transfer-Encoding: chunked\t\r\n"),
        "NUL behind": (400, b"Transfer-Encoding: chunked\x00\r\n"),
        "quoted": (501, b'Transfer-Encoding: "chunked"\r\n'),
        "comma behind": (400, b"Transfer-Encoding: chunked,\r\n"),
        "comma before": (501, b"Transfer-Encoding: ,chunked\r\n"),
        "chunked, identity": (400, b"Transfer-Encoding: chunked, identity\r\n"),
        "identity, chunked": (501, b"Transfer-Encoding: identity, chunked\r\n"),
        "gzip": (501, b"Transfer-Encoding: gzip\r\n"),
        "folded": (400, b"Transfer-Encoding:\r\n chunked\r\n"),
        "behind a bare LF": (400, b"X: a\nTransfer-Encoding: chunked\r\n"),
        "behind a bare CR": (400, b"X: a\rTransfer-Encoding: chunked\r\n"),
        "empty": (400, b"Transfer-Encoding:\r\n" + length),
    }
    cases = {f"encoding: {name}": Wire(*case, body) for name, case in refused.items()}
    return cases | {
        "encoding: identity": Wire(501, b"Transfer-Encoding: identity\r\n"),
        "encoding: identity and a length": Wire(
            400, b"Transfer-Encoding: identity\r\n" + length, text
        ),
        "encoding: in HTTP/1.0": Wire(400, CHUNKED, body, CHAT.replace(b"1.1", b"1.0")),
        "encoding: a tab before": Wire(SERVED, b"Transfer-Encoding:\tchunked\r\n", body),
        "encoding: in capitals": Wire(SERVED, b"TRANSFER-ENCODING: CHUNKED\r\n", body),
        "encoding: named by Connection": Wire(
            SERVED, b"Connection: transfer-encoding\r\n" + CHUNKED, body
        ),
        "encoding: with an underscore": Wire(
            SERVED, b"Transfer_Encoding: chunked\r\n" + length, text
        ),
    }


def _chunks(text: bytes) -> dict[str, Wire]:
    n = len(text)
    refused = {
        "extension with a bare LF": b"%x;a\nb\r\n%b\r\n0\r\n\r\n" % (n, text),
        "extension with a bare CR": b"%x;a\rb\r\n%b\r\n0\r\n\r\n" % (n, text),
        "extension quoting a line end": b'%x;a="\r\n%b\r\n0\r\n\r\n' % (n, text),
        "bare LF behind the size": b"%x\n%b\r\n0\r\n\r\n" % (n, text),
        "bare LF behind the data": b"%x\r\n%b\n0\r\n\r\n" % (n, text),
        "junk behind the data": b"%x\r\n%bXX0\r\n\r\n" % (n, text),
        "size beyond 64 bits": b"FFFFFFFFFFFFFFFFF\r\n%b\r\n0\r\n\r\n" % text,
        "size that wraps to zero": b"10000000000000000\r\n%b\r\n0\r\n\r\n" % text,
        "negative size": b"-1\r\n%b\r\n0\r\n\r\n" % text,
        "plus-signed size": b"+%x\r\n%b\r\n0\r\n\r\n" % (n, text),
        "0x before the size": b"0x%x\r\n%b\r\n0\r\n\r\n" % (n, text),
        "blank behind the size": b"%x \r\n%b\r\n0\r\n\r\n" % (n, text),
        "blank before the size": b" %x\r\n%b\r\n0\r\n\r\n" % (n, text),
        "no size": b"\r\n%b\r\n0\r\n\r\n" % text,
        "a trailer": b"%x\r\n%b\r\n0\r\nX: y\r\n\r\n" % (n, text),
        "a length as trailer": b"%x\r\n%b\r\n0\r\nContent-Length: 9\r\n\r\n" % (n, text),
        "a key as trailer": b"%x\r\n%b\r\n0\r\nAuthorization: x\r\n\r\n" % (n, text),
    }
    served = {
        "an extension": b"%x;a=b\r\n%b\r\n0\r\n\r\n" % (n, text),
        "zeros before the size": b"0" * 100 + b"%x\r\n%b\r\n0\r\n\r\n" % (n, text),
        "more than one zero at the end": b"%x\r\n%b\r\n000\r\n\r\n" % (n, text),
        "a byte each": b"".join(b"1\r\n%c\r\n" % one for one in text) + b"0\r\n\r\n",
    }
    cases = {f"chunks: {name}": Wire(400, CHUNKED, body) for name, body in refused.items()}
    return cases | {f"chunks: {n}": Wire(SERVED, CHUNKED, body) for n, body in served.items()}


def _heads(text: bytes) -> dict[str, Wire]:
    length = _length(text)
    refused = {
        "folded": (400, b"X: a\r\n b\r\n"),
        "bare LF": (400, b"X: y\n"),
        "bare CR": (400, b"X: y\rZ: b\r\n"),
        "NUL in a value": (400, b"X: a\x00b\r\n"),
        "NUL in a name": (400, b"X\x00: a\r\n"),
        "control character": (400, b"X: a\x01b\r\n"),
        "no name": (400, b": a\r\n"),
        "no colon": (400, b"Xa\r\n"),
        "name with a bracket": (400, b"X(a: b\r\n"),
        "two keys": (400, b"Authorization: Bearer b\r\n"),
        "too many": (431, b"X: y\r\n" * 101),
        "far too many": (431, b"X: y\r\n" * 50_000),
        "too large": (431, b"X: " + b"y" * 40_000 + b"\r\n"),
        "one endless line": (431, b"X: " + b"y" * 300_000 + b"\r\n"),
        "an endless name": (431, b"X" * 300_000 + b": y\r\n"),
        "another expectation": (417, b"Expect: 200-ok\r\n"),
    }
    cases = {
        f"head: {name}": Wire(status, lines + length, text)
        for name, (status, lines) in refused.items()
    }
    bare = CHAT.replace(b"\r\n", b"\n")
    return cases | {
        "head: bare LF throughout": Wire(400, length.replace(b"\r\n", b"\n"), text, bare),
        "head: folded first line": Wire(400, length, text, CHAT + b" X: y\r\n"),
        "head: letters of Latin-1": Wire(SERVED, b"X: \xe9\r\n" + length, text),
        "head: empty lines before": Wire(SERVED, length, text, b"\r\n\r\n" + CHAT),
        "head: an upgrade to h2c": Wire(
            SERVED,
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
            + length,
            text,
        ),
        "head: an upgrade to WebSocket": Wire(
            SERVED, b"Connection: upgrade\r\nUpgrade: websocket\r\n" + CHUNKED, _chunked(text)
        ),
    }


def _targets(text: bytes) -> dict[str, Wire]:
    path = b"/v1/chat/completions"
    lines = {
        "CONNECT": b"CONNECT example.org:443 HTTP/1.1",
        "CONNECT to a path": b"CONNECT %b HTTP/1.1" % path,
        "absolute": b"POST http://x%b HTTP/1.1" % path,
        "asterisk": b"OPTIONS * HTTP/1.1",
        "with a blank": b"POST %b x HTTP/1.1" % path,
        "with a tab": b"POST /v1/chat\t/completions HTTP/1.1",
        "with NUL": b"POST /v1/chat\x00 HTTP/1.1",
        "with bytes beyond ASCII": b"POST /v1/\xff\xfe HTTP/1.1",
        "with a fragment": b"POST %b#a HTTP/1.1" % path,
        "of HTTP/0.9": b"POST %b" % path,
        "of HTTP/2.0": b"POST %b HTTP/2.0" % path,
        "of HTTP/1.2": b"POST %b HTTP/1.2" % path,
        "of HTTP/01.1": b"POST %b HTTP/01.1" % path,
        "of http/1.1": b"POST %b http/1.1" % path,
        "in small letters": b"post %b HTTP/1.1" % path,
        "of no method": b"FOO %b HTTP/1.1" % path,
        "of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 100,
        "of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n",
    }
    length = _length(text)
    cases = {f"line: {n}": Wire(400, length, text, one + b"\r\n") for n, one in lines.items()}
    return cases | {
        "line: too long": Wire(414, length, text, b"POST /%b HTTP/1.1\r\n" % (b"v" * 9000)),
        "line: endless": Wire(431, length, text, b"POST /%b HTTP/1.1\r\n" % (b"v" * 300_000)),
        "line: GET with a body": Wire(405, length, text, CHAT.replace(b"POST", b"GET")),
        "line: HTTP/1.0": Wire(SERVED, length, text, CHAT.replace(b"1.1", b"1.0")),
    }


@dataclass(frozen=True)
class Text:
    """A body that is refused: its error's `code` and `param`, where those are sure."""

    body: bytes
    code: str | None
    param: str | None = None
    status: int = 400


def _asker(model: str) -> Ask:
    def ask(more: bytes = b"", turn: bytes = b'{"role":"user","content":"Hi"}') -> bytes:
        return b'{"model":"%b","messages":[%b]%b}' % (model.encode(), turn, more)

    return ask


def texts(model: str) -> dict[str, Text]:
    """Every case of a body, by its name."""
    ask = _asker(model)
    cases = {name: Text(body, "invalid_json") for name, body in _malformed(ask).items()}
    cases |= {n: Text(body, "duplicate_field", at) for n, (body, at) in _twice(ask).items()}
    cases |= {name: Text(body, None, at) for name, (body, at) in _wrong(ask).items()}
    for name, body in _deep(ask).items():
        cases[name] = Text(body, None if "million" in name else "too_deep")
    cases["a million lists"] = Text(b"[" + b"[]," * 1_000_000 + b"[]]", "too_many_items")
    cases["a name of a megabyte twice"] = Text(
        b'{"%b":1,"%b":2}' % ((b"n" * (1 << 20),) * 2), "duplicate_field"
    )
    cases["an unknown name of a megabyte"] = Text(ask(b',"%b":1' % (b"n" * (1 << 20))), None)
    long = ask(turn=b'{"role":"user","content":"%b"}' % (b"x" * 20_000_000))
    cases["20 MB"] = Text(long, "too_large", status=413)
    return cases


def _malformed(ask: Ask) -> dict[str, bytes]:
    return {
        "empty": b"",
        "cut short": ask()[:-1],
        "two documents": ask() * 2,
        "NUL behind": ask() + b"\x00",
        "a BOM": b"\xef\xbb\xbf" + ask(),
        "UTF-16": ask().decode().encode("utf-16"),
        "invalid UTF-8": ask(turn=b'{"role":"user","content":"\xff\xfe"}'),
        "overlong UTF-8": ask(turn=b'{"role":"user","content":"\xc0\x80"}'),
        "a surrogate in UTF-8": ask(turn=b'{"role":"user","content":"\xed\xa0\x80"}'),
        "NUL in a text": ask(turn=b'{"role":"user","content":"a\x00b"}'),
        "a line end in a text": ask(turn=b'{"role":"user","content":"a\nb"}'),
        "half of a pair": ask(turn=b'{"role":"user","content":"\\ud800"}'),
        "the other half": ask(turn=b'{"role":"user","content":"\\udc00"}'),
        "two first halves": ask(turn=b'{"role":"user","content":"\\ud800\\ud800"}'),
        "NaN": ask(b',"temperature":NaN'),
        "Infinity": ask(b',"temperature":-Infinity'),
        "a plus sign": ask(b',"temperature":+1'),
        "a zero before": ask(b',"max_tokens":01'),
        "hexadecimal": ask(b',"max_tokens":0x1'),
        "10,000 digits": ask(b',"max_tokens":' + b"9" * 10_000),
        "a comma behind": ask(b","),
        "a comment": ask(b"/* */"),
        "single quotes": b"{'model':'x'}",
    }


def _twice(ask: Ask) -> dict[str, tuple[bytes, str]]:
    return {
        "a name twice": (ask(b',"model":"other"'), "model"),
        "a name twice, once escaped": (ask(b',"mod\\u0065l":"other"'), "model"),
        "the same twice": (ask(b',"stream":false,"stream":false'), "stream"),
        "a name twice below": (
            ask(turn=b'{"role":"user","role":"system","content":"Hi"}'),
            "role",
        ),
        "a free name twice": (ask(b',"metadata":{"a":"1","a":"2"}'), "a"),
        "an unknown name twice": (ask(b',"x":1,"x":2'), "x"),
    }


def _wrong(ask: Ask) -> dict[str, tuple[bytes, str | None]]:
    return {
        "1e400": (ask(b',"temperature":1e400'), None),
        "-1e400": (ask(b',"presence_penalty":-1e400'), None),
        "400 digits": (ask(b',"max_tokens":' + b"9" * 400), "max_tokens"),
        "400 digits of seed": (ask(b',"seed":' + b"9" * 400), "seed"),
        "negative": (ask(b',"max_tokens":-1'), "max_tokens"),
        "minus zero": (ask(b',"max_tokens":-0'), "max_tokens"),
        "a fraction": (ask(b',"max_tokens":1.5'), "max_tokens"),
        "a list": (b"[1]", None),
        "a number": (b"1", None),
        "null": (b"null", None),
        "a text of brackets": (b'"%b"' % (b"[" * 1000), None),
        "nothing in it": (b"{}", "model"),
    }


def _deep(ask: Ask) -> dict[str, bytes]:
    return {
        "a million lists deep": b"[" * 1_000_000,
        "a million objects deep": b'{"a":' * 500_000,
        "130 deep and whole": ask(b',"x":' + b"[" * 130 + b"]" * 130),
        "65 deep": ask(b',"x":' + b"[" * 64 + b"]" * 64),
    }
