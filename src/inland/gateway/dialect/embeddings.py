"""`/v1/embeddings`: a vector for each text, as numbers or as base64 of little-endian float32."""

import struct
from base64 import b64decode
from typing import Literal, NoReturn

from inland.domain.limits import Limits
from inland.domain.plant import Feature
from inland.gateway.assembly import Assembly
from inland.gateway.dialect.asked import Accepted, Need, Positive, Said
from inland.gateway.dialect.decoding import decoder
from inland.gateway.dialect.events import encode
from inland.gateway.errors import invalid
from inland.ports.engine import Counts, Embedding, Work

ROUTE = "embeddings"


class EmbeddingBody(Accepted, forbid_unknown_fields=True, gc=False, kw_only=True):
    """The fields of OpenAI's embeddings that Inland knows. An input is a text."""

    model: str
    input: str | list[str]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Positive | None = None

    def needs(self) -> list[Need]:
        needs = [("model", Feature.EMBEDDINGS)]
        if self.dimensions is not None:
            needs.append(("dimensions", Feature.DIMENSIONS))
        return needs

    def work(self, limits: Limits, slots: int) -> Work:
        texts = [self.input] if isinstance(self.input, str) else self.input
        if not 1 <= len(texts) <= limits.texts:
            raise invalid("input", f"Give 1 to {limits.texts} texts.")
        if not all(texts):
            raise invalid("input", "A text is empty.")
        return Work(Embedding(texts, self.dimensions))

    def whole(self, said: Said, assembly: Assembly, counts: Counts) -> bytes:
        vectors = [
            {"object": "embedding", "index": index, "embedding": self._vector(choice.text)}
            for index, choice in enumerate(assembly.choices)
        ]
        spent = {"prompt_tokens": counts.prompt, "total_tokens": counts.prompt}
        return encode({"object": "list", "data": vectors, "model": said.model, "usage": spent})

    def _vector(self, base64: str) -> object:
        if self.encoding_format == "base64":
            return base64
        data = b64decode(base64)
        return struct.unpack(f"<{len(data) // 4}f", data)

    def events(self, said: Said) -> NoReturn:
        """A vector is never streamed: there is no field to ask for it."""
        raise AssertionError("no embedding is streamed")


decode = decoder(EmbeddingBody)
