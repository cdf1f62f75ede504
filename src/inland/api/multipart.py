"""A form with one file in it (`multipart/form-data`), read as it comes: the file's content is
handed on in pieces, and nothing but short fields is kept."""

from collections.abc import Iterator

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from inland.domain.errors import BadInput
from inland.plant.uploads import Content

MULTIPART = "multipart/form-data"
#: Bounds of what is kept: fields, of each its value, and of any part its header's lines.
FIELDS, FIELD_BYTES, HEADER_BYTES = 16, 1024, 8192
#: Read at a time.
_PIECE_BYTES = 64 << 10


class Form:
    """Reads `content`, `length` bytes. `fields`: those that came so far. `filename`: of the file,
    once it began."""

    def __init__(self, content: Content, content_type: str) -> None:
        """Raises BadInput for what is no form."""
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != MULTIPART.encode() or not boundary:
            raise BadInput("content-type", f"send the file as {MULTIPART}")
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self.length = len(content)
        self.is_over = False
        self._content = content
        self._pieces: list[bytes] = []
        self._is_file = False
        self._name = ""
        self._value = bytearray()
        self._header, self._said, self._disposition = bytearray(), bytearray(), b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._more_header,
                "on_header_value": self._more_said,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._more,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    def begin(self) -> str:
        """Read up to the file; what it is called. Raises BadInput where there is none."""
        while self.filename is None:
            if not self._read():
                raise BadInput("file", "the form has no file")
        return self.filename

    def pieces(self) -> Iterator[bytes]:
        """The file's content; when it is over every field is there. Raises BadInput."""
        while True:
            pieces, self._pieces = self._pieces, []
            yield from pieces
            if not self._read():
                break
        yield from self._pieces
        if not self.is_over:
            raise BadInput("body", "the form does not end")

    def _read(self) -> bool:
        """More of it; False at its end."""
        size = min(len(self._content), _PIECE_BYTES)
        if not size:
            return False
        for piece in self._content.take(size):
            try:
                self._parser.write(bytes(piece))
            except FormParserError:
                raise BadInput("body", f"is not {MULTIPART}") from None
        return True

    # -- the parser's calls

    def _begin_part(self) -> None:
        self._disposition = b""
        self._value.clear()

    def _more_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._check_header()

    def _more_said(self, data: bytes, start: int, end: int) -> None:
        self._said += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        if len(self._header) + len(self._said) > HEADER_BYTES:
            raise BadInput("body", f"a part's header has more than {HEADER_BYTES} bytes")

    def _end_header(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._disposition = bytes(self._said)
        self._header.clear()
        self._said.clear()

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = _text("name", options.get(b"name", b""))
        filename = options.get(b"filename")
        self._is_file = filename is not None
        if filename is not None:
            if self._name != "file" or self.filename is not None:
                raise BadInput(self._name[:64] or "file", "send one file, called file")
            self.filename = _text("file", filename)
        elif self._name in self.fields:
            raise BadInput(self._name[:64], "is given twice")
        elif len(self.fields) >= FIELDS:
            raise BadInput("body", f"has more than {FIELDS} fields")

    def _more(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._pieces.append(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > FIELD_BYTES:
            raise BadInput(self._name[:64], f"has more than {FIELD_BYTES} bytes")

    def _end_part(self) -> None:
        if not self._is_file:
            self.fields[self._name] = _text(self._name[:64], bytes(self._value))

    def _end(self) -> None:
        self.is_over = True


def _text(what: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadInput(what, "is not UTF-8") from None
