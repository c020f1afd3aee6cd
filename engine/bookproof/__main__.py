"""``python -m bookproof``."""

from __future__ import annotations

import sys

from bookproof.commands import main

if __name__ == "__main__":
    sys.exit(main())
