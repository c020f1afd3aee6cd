"""What the engine says to a book's readers.

``book_words`` in ``conf.py`` says it in the book's own language.
"""

from __future__ import annotations

WORDS = {
    # below a record; {packages} are those that its cell would have needed
    "recorded": "This output is a record. It was not run here, for lack of {packages}.",
    # after a cell that does something else than the book says, where the book is built: what is so,
    # and whose the lines are that differ
    "differs": "On this computer, this cell does not print what the book says.",
    "rounding": "Only numbers differ; another processor rounds in other places, which may be why.",
    "broke": "On this computer, this cell ended with an error.",
    "skipped": "This cell was not run, since one before it ended with an error.",
    "unsaid": "The book does not say what this cell prints.",
    # above the lines that differ
    "lines": "Lines that begin with - are what the book says, those with + what came here.",
    # above the table of what was checked; {n} is the number of places where something is wrong
    "unfit": "Places where this build is not what the book says: {n}. It is no build to publish.",
}
