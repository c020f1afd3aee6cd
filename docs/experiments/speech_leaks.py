"""Is it the leak that has the end of the padding tell less of a voice than the end of the voice?

Trains the first two readers of speech.py, of the end of the padding and of the end of the voice,
with a leak below those that they may choose there: 0.03. Each gets two learning rates; the better
in validation, the mean over three choices of 90 of the 270 sequences, on seeds that are used for
nothing else, then trains with five other seeds on all 270. The test is on the other 370, also with
twice as much padding. With --record the figures are kept beside it. A run takes about a minute on
one processor.
"""

from collections.abc import Iterator

from harness import Row, record
from speech import NETWORKS, trained

LEAK = 0.03
READERS = tuple(NETWORKS)[:2]


def rows() -> Iterator[Row]:
    """Yield what each reader reached."""
    for name in READERS:
        yield trained(name, NETWORKS[name]._replace(settings=(LEAK,)))


if __name__ == "__main__":
    record.run(__doc__, "speech_leaks", rows, libraries=["torch", "aeon"])
