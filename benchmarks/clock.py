"""How long work takes, and how much memory: all take turns, and ratios count within a round."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

from record import Row
from torch.profiler import ProfilerActivity, profile

Key = TypeVar("Key")
ALLOCATOR = 31 * 2**20  # bytes: below the 32 MiB up to which glibc learns to keep what is freed


def keep_memory() -> None:
    """Let glibc keep freed memory of this size from now on, as in a process that works for long.

    Else whether it gives it back depends on who came before.
    """
    bytearray(ALLOCATOR)


def rounds_of(
    works: Mapping[Key, Callable[[], object]],
    rounds: int,
    at_least: int = 3,
    turn: float = 0.1,
    clock: Callable[[], float] = time.process_time,
) -> dict[Key, list[float]]:
    """Return the median time of each work in each round, in which all take turns.

    In a turn each works so many times, and so many seconds, at least.
    """
    found: dict[Key, list[float]] = {key: [] for key in works}
    for _ in range(rounds):
        for key, work in works.items():
            times: list[float] = []
            while len(times) < at_least or sum(times) < turn:
                start = clock()
                work()
                times.append(clock() - start)
            found[key].append(statistics.median(times))
    return found


def ratios(some: Sequence[float], others: Sequence[float]) -> Row:
    """Return the median, the least and the greatest ratio over the rounds."""
    found = [one / other for one, other in zip(some, others, strict=True)]
    return {"ratio": statistics.median(found), "least": min(found), "most": max(found)}


def most_memory(work: Callable[[], object]) -> int:
    """Return the most bytes that work takes at once, beyond what is there before it."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    events = profiler.profiler.kineto_results.events()
    sizes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    return int(max(accumulate(size for _, size in sizes)))
