"""When pages run: how many at once, alone, or one after the other, as the book says."""

from __future__ import annotations

from itertools import pairwise

import pytest
from book_project import CONF, cell, page
from book_runs import statuses

from bookproof import schedule
from bookproof.compare import Status
from bookproof.page import read_page
from bookproof.run import run_outdated
from bookproof.settings import find_settings
from bookproof.store import Results

FAILED, MATCHES = Status.FAILED, Status.MATCHES
ALONE = "book: {alone: true}\n"


def outcome(book, *names):
    """Run these pages of the book, if they have to."""
    paths = [book.folder / f"{name}.md" for name in names]
    return run_outdated([read_page(path, find_settings(path)) for path in paths], Results())


def are_apart(runs):
    """Whether no two runs overlap."""
    spans = sorted((run.started, run.started + run.seconds) for run in runs)
    return all(first[1] <= second[0] for first, second in pairwise(spans))


def test_a_book_says_how_many_pages_run_at_once(book):
    book.write("conf.py", CONF + "book_pages_at_once = 1\n")
    for name in "abc":
        book.write(f"{name}.md", page(cell("print(1)", 1)))
    assert are_apart(outcome(book, *"abc"))


@pytest.mark.parametrize(
    ("processors", "memory", "most"),
    [(2, 99e9, 8), (64, 3.4e9, 6), (2, 1e8, 1), (0.1, 99e9, 1)],
)
def test_otherwise_processors_and_memory_say_it(monkeypatch, processors, memory, most):
    monkeypatch.setattr(schedule.machine, "processors", lambda: processors)
    monkeypatch.setattr(schedule.machine, "memory", lambda: memory)
    assert schedule.most_at_once() == most


def test_a_page_may_run_alone(book):
    for name in "ab":
        book.write(f"{name}.md", page(cell("print(1)", 1)))
        book.write(f"alone_{name}.md", page(cell("print(1)", 1), front=ALONE))
    runs = dict(zip("abxy", outcome(book, "a", "b", "alone_a", "alone_b"), strict=True))
    for name in "xy":
        for other in set("abxy") - {name}:
            assert are_apart([runs[name], runs[other]])


WRITES = page(cell("from pathlib import Path\n_ = Path('made.txt').write_text('1')"))
READS = page(cell("print(open('made.txt').read())", 1), front="book: {after: [writes.md]}\n")


def test_a_page_that_reads_what_another_one_writes_runs_after_it(book):
    book.write("a_reads.md", READS)
    book.write("b_reads.md", READS.replace("writes.md", "a_reads.md"))
    book.write("writes.md", WRITES)
    runs = outcome(book, "b_reads", "a_reads", "writes")
    assert [statuses(run)[-1] for run in runs[:2]] == [MATCHES, MATCHES]
    assert are_apart(runs)


def test_a_page_that_comes_after_one_that_runs_again_runs_again(book, ran):
    book.write("reads.md", READS)
    book.write("writes.md", WRITES)
    outcome(book, "reads", "writes")
    outcome(book, "reads", "writes")
    ran.take()
    book.edit("writes.md", "write_text('1')", "write_text('2')")
    runs = outcome(book, "reads", "writes")
    assert ran.take() == ["reads", "writes"]
    assert runs[0].verdicts[0].got == "2\n"


def test_pages_that_come_after_each_other_fail_with_the_reason(book):
    book.write("a.md", page(cell("1"), front="book: {after: [b.md]}\n"))
    book.write("b.md", page(cell("1"), front="book: {after: [a.md]}\n"))
    book.write("c.md", page(cell("1", 1), front="book: {after: [a.md]}\n"))
    *wrong, right = outcome(book, "a", "b", "c")
    assert [statuses(run) for run in wrong] == [[FAILED], [FAILED]]
    assert "the page is to run after itself" in wrong[0].verdicts[0].got
    assert right.ok


@pytest.mark.parametrize(
    ("front", "told"),
    [
        ("{alone: 3}", "book: alone: is 3, but takes true or false"),
        ("{after: a.md}", "book: after: is 'a.md', but takes a list of files"),
        ("{after: [gone.md]}", "book: after: no file beside the page matches 'gone.md'"),
    ],
)
def test_what_is_no_order_is_refused(book, front, told):
    book.write("page.md", page(cell("1"), front=f"book: {front}\n"))
    built = book.build()
    assert built.status == 1
    assert told in built.messages
