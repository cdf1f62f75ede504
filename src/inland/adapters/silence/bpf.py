"""Classic BPF, the language of both filters: of system calls, and of frames.

Source: Linux `Documentation/networking/filter.rst`.
"""

import struct

#: Code, jump where true, jump where false, value.
Instruction = tuple[int, int, int, int]

LOAD, LOAD_SHORT, LOAD_BYTE, LOAD_SHORT_BEHIND = 0x20, 0x28, 0x30, 0x48
#: Four times the low half of a byte: the length of an IPv4 head, to look behind it.
LENGTH_OF_HEAD = 0xB1
AND, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x54, 0x15, 0x35, 0x45, 0x06


def do(code: int, value: int) -> Instruction:
    """An instruction that does not jump."""
    return (code, 0, 0, value)


def when(value: int, then: list[Instruction], test: int = EQUAL) -> list[Instruction]:
    """`then` where what was loaded passes `test` with `value`; else what follows."""
    return [(test, 0, len(then), value), *then]


def either(values: tuple[int, int], then: list[Instruction]) -> list[Instruction]:
    """`then` where what was loaded is one of `values`; else what follows."""
    return [(EQUAL, 1, 0, values[0]), *when(values[1], then)]


def packed(program: list[Instruction]) -> bytes:
    """As the kernel takes it."""
    return b"".join(struct.pack("=HBBI", *one) for one in program)
