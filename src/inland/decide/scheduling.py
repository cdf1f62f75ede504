"""Which cores or accelerators an engine gets. Its threads spin at barriers, so cores are not shared
while there are enough of them; nor are accelerators, whose memory one engine fills."""

from collections.abc import Collection, Mapping, Sequence


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


def cores_beside(engines: Collection[Collection[int]], cores: Sequence[int]) -> tuple[int, ...]:
    """Cores for work beside engines that may use those each: what none of them may, the first left
    to the rest of the factory; none where there are no such."""
    taken = {core for one in engines for core in one}
    return tuple(core for core in cores[1:] if core not in taken)


def assign_accelerators(
    wanted: Mapping[str, int], accelerators: Sequence[int], held: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """Accelerators for engines that want so many each. Whoever holds as many as it wants keeps
    them; an engine that finds too few free ones sees all: its own are empty, which means any."""
    assigned: dict[str, tuple[int, ...]] = {}
    free = list(accelerators)
    for name, count in wanted.items():
        kept = held.get(name, ())
        if len(kept) == count and set(kept) <= set(free):
            assigned[name] = kept
            free = [one for one in free if one not in kept]
    for name, count in wanted.items():
        if name not in assigned:
            assigned[name] = tuple(free[:count]) if count <= len(free) else ()
            free = free[len(assigned[name]) :]
    return assigned
