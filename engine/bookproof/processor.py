"""What of a computer decides how it rounds: its processor, its threads, and variables."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bookproof.machine import processors

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@cache
def features(cpuinfo: Path = CPUINFO) -> frozenset[str]:
    """Return what the processor can do, as the system calls it, or its name where it only has one.

    Linux lists instruction sets: under "flags" on x86, under "Features" on ARM.
    """
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    pairs = [line.partition(":") for line in lines]
    found = [value for name, _, value in pairs if name.strip() in {"flags", "Features"}]
    makers = [value.strip() for name, _, value in pairs if name.strip() == "vendor_id"]
    told = found[0].split() if found else [platform.processor()]
    # by the maker too: MKL goes by it, and a square root that is only near by the maker's table
    return frozenset([platform.machine(), *makers[:1], *told])


def threads(variables: Mapping[str, str]) -> float | None:
    """Return the processors, if kernels that start with these variables have a thread for each."""
    return processors() if any(name not in variables for name in THREADS) else None
