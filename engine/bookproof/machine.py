"""What this process may use of the machine, and what of it decides how libraries round."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CGROUP = Path("/proc/self/cgroup")
"""Where Linux says to which groups a process belongs; it may use what each of them may."""
CGROUPS = Path("/sys/fs/cgroup")
"""Where the limits of all groups are."""
HELD = 500_000_000
"""Bytes of memory that a page may hold: eight of a public book held 3.4 GB."""
CPUINFO = Path("/proc/cpuinfo")
ARITHMETIC = (
    "ATEN_CPU_CAPABILITY", "DNNL_MAX_CPU_ISA", "GLIBC_TUNABLES", "MKL_CBWR", "MKL_DYNAMIC",
    "MKL_ENABLE_INSTRUCTIONS", "MKL_NUM_THREADS", "MKL_THREADING_LAYER", "NPY_DISABLE_CPU_FEATURES",
    "NPY_ENABLE_CPU_FEATURES", "NUMBA_CPU_NAME", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS",
    "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "XLA_FLAGS",
)  # fmt: skip
"""The variables by which libraries choose instructions and threads when they are loaded."""
THREADS = ("MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""Those without which there are as many threads as processors."""


def processors() -> float:
    """Return how many processors this process may keep busy, as a fraction if it is told so."""
    affine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    shares = [float(affine or 1)]
    for group in _groups():
        quota, *period = _words(group / "cpu.max") or ["max"]
        if quota != "max":
            shares.append(int(quota) / int(period[0]))
    return min(shares)


def memory() -> float:
    """Return how many bytes of memory this process can still have."""
    free = [float(psutil.virtual_memory().available)]
    for group in _groups():
        most, used = _words(group / "memory.max"), _words(group / "memory.current")
        if used and most != ["max"]:
            # files that were read stay in memory, and count, until their place is needed
            lines = _words(group / "memory.stat")
            files = dict(zip(lines[::2], lines[1::2], strict=True)).get("inactive_file", "0")
            free.append(float(int(most[0]) - int(used[0]) + int(files)))
    return max(0.0, min(free))


def most_at_once() -> int:
    """Return how many pages run at once where the book does not say: as many as memory is for.

    More than processors, since a kernel that starts mostly waits.
    """
    return max(1, int(min(4 * processors(), memory() / HELD)))


def _groups() -> Iterator[Path]:
    """Yield the folders of the groups that this process is in, one within the other.

    Of what a container sees, the innermost may be missing: it knows its own groups by no name.
    """
    for line in CGROUP.read_text(encoding="utf-8").splitlines() if CGROUP.exists() else ():
        if line.startswith("0::"):  # version 2 of cgroups, which has one tree of groups
            parts = Path(line[3:]).parts[1:]
            yield from (CGROUPS.joinpath(*parts[:n]) for n in range(len(parts) + 1))


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").split()
    except OSError:
        return []


@cache
def features(cpuinfo: Path = CPUINFO) -> frozenset[str]:
    """Return what the processor can do, as the system calls it, or its name where it only has one.

    Linux lists instruction sets: under "flags" on x86, under "Features" on ARM.
    """
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    pairs = [line.partition(":") for line in lines]
    found = [value for name, _, value in pairs if name.strip() in {"flags", "Features"}]
    makers = [value.strip() for name, _, value in pairs if name.strip() == "vendor_id"]
    listed = found[0].split() if found else [platform.processor()]
    # by the maker too: MKL goes by it, and a square root that is only near by the maker's table
    return frozenset([platform.machine(), *makers[:1], *listed])


def threads(variables: Mapping[str, str]) -> float | None:
    """Return the processors, if kernels that start with these variables have a thread for each."""
    return processors() if any(name not in variables for name in THREADS) else None
