"""What this process may use of the machine: in a container, that is less than there is."""

from __future__ import annotations

import os
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

CGROUP = Path("/proc/self/cgroup")
"""Where Linux says to which groups a process belongs; it may use what each of them may."""
CGROUPS = Path("/sys/fs/cgroup")
"""Where the limits of all groups are."""
HELD = 500_000_000
"""Bytes of memory that a page may hold: eight of a public book held 3.4 GB."""


def processors() -> float:
    """Return how many processors this process may keep busy, as a fraction if it is told so."""
    affine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    shares = [float(affine or 1)]
    for group in _groups("cpu"):
        quota, period = _words(group / "cpu.max") or (
            *_words(group / "cpu.cfs_quota_us"),
            *_words(group / "cpu.cfs_period_us"),
        ) or ("max", "1")  # fmt: skip
        if quota not in {"max", "-1"}:
            shares.append(int(quota) / int(period))
    return min(shares)


def memory() -> float:
    """Return how many bytes of memory this process can still have."""
    free = [float(psutil.virtual_memory().available)]
    for group in _groups("memory"):
        most = _words(group / "memory.max") or _words(group / "memory.limit_in_bytes") or ["max"]
        used = _words(group / "memory.current") or _words(group / "memory.usage_in_bytes") or ["0"]
        # files that were read stay in memory, and count, until their place is needed
        lines = _words(group / "memory.stat")
        stat = dict(zip(lines[::2], lines[1::2], strict=True))
        files = stat.get("total_inactive_file", stat.get("inactive_file", "0"))
        free.append((inf if most == ["max"] else int(most[0])) - int(used[0]) + int(files))
    return max(0.0, min(free))


def most_at_once() -> int:
    """Return how many pages run at once where the book does not say: as many as memory is for.

    More than processors, since a kernel that starts mostly waits.
    """
    return max(1, int(min(4 * processors(), memory() / HELD)))


def _groups(controller: str) -> Iterator[Path]:
    """Yield the folders of the groups that this process is in, one within the other.

    Of what a container sees, the innermost may be missing: it knows its own groups by no name.
    """
    for line in CGROUP.read_text(encoding="utf-8").splitlines() if CGROUP.exists() else ():
        _, controllers, name = line.split(":", 2)
        # version 2 of cgroups has one tree of groups, version 1 one for each controller
        if not controllers or controller in controllers.split(","):
            root = CGROUPS / controller if controllers else CGROUPS
            parts = Path(name).parts[1:]
            yield from (root.joinpath(*parts[:n]) for n in range(len(parts) + 1))


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").split()
    except OSError:
        return []
