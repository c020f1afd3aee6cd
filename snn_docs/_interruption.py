"""Answers Ctrl-C while ``python -m snn_docs.train`` imports torch, which takes seconds.

A `KeyboardInterrupt` would be shown with all the modules that it came through, or turned into
another error on its way, or swallowed.
"""

import os
import signal
import sys
from types import FrameType


def end(_number: int, _frame: FrameType | None) -> None:
    """End the program; of several processes, one says so."""
    if os.environ.get("RANK", "0") == "0":
        sys.stderr.write("interrupted before the training began\n")
        sys.stderr.flush()
    os._exit(130)


def expect() -> None:
    """Answer Ctrl-C from now on, unless whoever started this process has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end)


def leave() -> None:
    """Leave Ctrl-C to Python again."""
    if signal.getsignal(signal.SIGINT) is end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
