"""What do the connected networks of images.py reach when no image is shifted while they train?

Trains them as images.py does, with the same search of five learning rates and the same seeds, but
on the images as they are: few weights may have enough to do with images that stay where they are.
With --record the figures are kept beside it. A run takes about three minutes on one quiet
processor.
"""

from collections.abc import Iterator
from unittest.mock import patch

import images
from harness import Row, record


def rows() -> Iterator[Row]:
    """Choose each learning rate, train each network, and yield a row for each seed."""
    connected = {name: make for name, make in images.NETWORKS.items() if "connected" in name}
    with patch.multiple(images, NETWORKS=connected, shifted=lambda seen: seen):
        yield from images.rows()


if __name__ == "__main__":
    record.run(__doc__, "images_still", rows, libraries=["torch", "mlxtend", "scikit-learn"])
