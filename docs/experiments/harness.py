"""What all experiments share; they are run as programs of their own, from any folder."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))  # keeps records too

import record

__all__ = ["record"]
