"""What the engine says to a book's readers and writers.

``book_words`` in ``conf.py`` says it in the book's own language.
"""

from __future__ import annotations

WORDS = {
    # below a record; {packages} are those that its cell would have needed
    "recorded": "This output is a record. It was not run here, for lack of {packages}.",
    # after a cell that does something else than the book says, where the book is built: what is so,
    # and above the two texts whose they are
    "differs": "On this computer, this cell does not print what the book says.",
    "rounding": "Only numbers differ; another processor rounds in other places, which may be why.",
    "broke": "On this computer, this cell ended with an error.",
    "skipped": "This cell was not run, since one before it ended with an error.",
    "unsaid": "The book does not say what this cell prints.",
    "says": "The book says",
    "came": "This computer printed",
    "nothing": "nothing",
    # above the table of what was checked; {n} is the number of places where something is wrong
    "unfit": "Places where this build is not what the book says: {n}. It is no build to publish.",
    # on the page that lets the reader in, and to one who has not come through it
    "enter": "Open the book",
    "locked": "Open this book through the file that the terminal names.",
    # cells; {n} is a cell's number on its page
    "cell": "Cell {n}",
    "code": "Code of cell {n}",
    "keys": "Shift+Enter runs it, Esc leaves it.",
    "output": "New output of cell {n}",
    "figure": "Figure that cell {n} has drawn",
    # buttons
    "run": "Run",
    "stop": "Stop",
    "restart": "Restart",
    "edit": "Edit",
    "reset": "Back to the book's cell",
    # states
    "starting": "Starting a kernel.",
    "before": "Running cell {n} first.",
    "running": "Running.",
    "done": "Done.",
    "failed": "Cell {n} ended with an error.",
    "failed_before": "Not run, since cell {n} ended with an error.",
    "stopped": "Stopped.",
    "cut": "Stopped, since it put out too much.",
    "restarted": "Restarted. No cell has run yet.",
    "is_reset": "This is the book's cell again.",
    # how a kernel ended; the next run starts another one
    "idle": "The kernel was not used for long and has ended.",
    "died": "The kernel has died; it may have needed too much memory.",
    "late": "Stopped with its kernel, since it ran too long.",
    "greedy": "The kernel was ended: with all that it had started, it used too much.",
    "full": "Too many pages run their cells. Close one of them, then run this again.",
    "lost": "The kernel can't be reached. Open the book again.",
    # on a page that is watched; {n} is the number of problems
    "report": "Build report",
    "found": "Problems found by the build: {n}",
    "problems": "What is wrong",
    "no_page": "This page is not in the built book.",
}
