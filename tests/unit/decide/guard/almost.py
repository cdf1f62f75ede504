"""Texts that are almost what a recogniser finds: all but the check digit, or what else proves it.

Of each kind one that fits as many forms at as many places as it can.
"""

#: Nothing of what is put together of these, a space between any two, is a number of its kind's.
ALMOST: dict[str, tuple[str, ...]] = {
    "card": ("4111 1111 1111 1112",),
    "card in groups": ("4222",),
    "card together": ("5105105105105101",),
    "iban": ("DE89 3704 0044 0532 0130 01",),
    "iban in fours": ("ES21",),
    "iban together": ("GB29NWBK60161331926818",),
    "mykad": ("990231-01-1234",),
    "taiwan-id": ("A123456788",),
    "my-number": ("1234 5678 9010",),
    "china-id": ("110105194912310021",),
    "cnp": ("1630615123458",),
    "cnp in groups": ("1 63 06 15 12 345 8",),
    "belgium-nn": ("85.07.30-033.29",),
    "belgium-nn in pairs": ("85 07 30 033 29",),
    "france-nir": ("2 95 10 99 126 111 99",),
    "emirates-id": ("784-1990-1234567-7",),
    "single digits": ("1",),
    "mixed": (
        *("4111 1111 1111 1112", "DE89 3704 0044 0532 0130 01", "A123456788"),
        *("85.07.30-033.29", "784-1990-1234567-7", "2 95 10 99 126 111 99", "1234 5678 9010"),
    ),
}
