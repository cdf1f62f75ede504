"""Which cores an engine gets. Its threads spin at barriers, so cores are not shared while there are
enough of them."""

from collections.abc import Sequence


def assign_cores(threads: Sequence[int], cores: Sequence[int]) -> list[tuple[int, ...]]:
    """Cores for engines with `threads` threads each, in order, from the last core down.

    The first core is left to the rest of the factory while another is free. An engine that finds
    too few free cores shares with all: its cores are empty, which means any.
    """
    free = list(cores[1:]) if len(cores) > 1 else []
    assigned = []
    for count in threads:
        mine = free[-count:] if count <= len(free) else []
        free = free[: len(free) - len(mine)]
        assigned.append(tuple(mine))
    return assigned
