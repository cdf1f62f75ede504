"""A prompt's prefix, as hashes that tell which slot holds most of it. Never its text.

The hash is Python's own, whose key is drawn anew in each process; it leads to a slot and decides
nothing about whose it is.
"""

import msgspec

from inland.ports.engine import Chat, Embedding, Task

#: A block is some 64 tokens; what lies behind the last block counted has no say in the choice.
BLOCK_BYTES = 256
BLOCKS = 256

_ENCODER = msgspec.json.Encoder()


def beginning_of(task: Task) -> int:
    """The first of these hashes; 0 of a short prompt, and of texts to embed."""
    return next(iter(prefix_of(task)), 0) if not isinstance(task, Embedding) else 0


def prefix_of(task: Task) -> tuple[int, ...]:
    """Chained hashes of the whole blocks of what an engine reads in, in the order it does."""
    text = _ENCODER.encode([task.tools, task.messages] if isinstance(task, Chat) else task)
    chain, hashes = 0, []
    for at in range(0, min(len(text) // BLOCK_BYTES, BLOCKS) * BLOCK_BYTES, BLOCK_BYTES):
        chain = hash((chain, text[at : at + BLOCK_BYTES]))
        hashes.append(chain)
    return tuple(hashes)
