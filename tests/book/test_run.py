"""Pages run in real kernels, side by side, and stop at the first error."""

from __future__ import annotations

from nbformat.v4 import new_output

from snn_docs.book.compare import Status
from snn_docs.book.page import read_page
from snn_docs.book.run import join_streams, run_pages


def cell(code, expected=None, tags=""):
    head = f":tags: [{tags}]\n\n" if tags else ""
    block = f"\n```{{testoutput}}\n{expected}\n```\n" if expected is not None else ""
    return f"```{{code-cell}}\n{head}{code}\n```\n{block}\n"


def statuses(run):
    return [verdict.status for verdict in run.verdicts]


def run(path, **options):
    [done] = run_pages([read_page(path)], **options)
    return done


def test_outputs_are_compared_and_counted(write_page):
    done = run(write_page(cell("x = 1") + cell("print(x)", 1) + cell("x + 1", 2) + cell("x", 2)))
    assert statuses(done) == [Status.SILENT, Status.MATCHES, Status.MATCHES, Status.DIFFERS]
    assert done.checked == 2
    assert not done.ok


def test_a_page_that_is_right_is_ok(write_page):
    assert run(write_page(cell("print('膜電位')", "膜電位"))).ok


def test_pages_do_not_see_each_other(write_page):
    first = write_page(cell("secret = 1\nprint(secret)", 1), "a.md")
    second = write_page(cell("print('secret' in globals())", False), "b.md")  # noqa: FBT003
    assert [done.ok for done in run_pages([read_page(first), read_page(second)])] == [True, True]


def test_a_page_runs_in_its_own_folder(write_page):
    code = "from pathlib import Path\nprint(Path.cwd().name)"
    page = write_page(cell(code, "部 分"), "部 分/a.md")
    assert run(page).ok


def test_hashes_are_the_same_in_every_run(write_page):
    page = write_page(cell("print(hash('膜電位'))", 0))
    assert len({run(page).verdicts[0].got for _ in range(2)}) == 1


def test_an_error_stops_the_page_and_is_told_without_colours(write_page):
    done = run(write_page(cell("print(1)", 1) + cell("1 / 0") + cell("print(2)", 2)))
    assert statuses(done) == [Status.MATCHES, Status.FAILED, Status.NOT_RUN]
    assert "ZeroDivisionError: division by zero" in done.verdicts[1].got
    assert "\x1b" not in done.verdicts[1].got


def test_an_error_that_is_meant_is_an_output(write_page):
    body = cell("1 / 0", "ZeroDivisionError: division by zero", "raises-exception")
    assert run(write_page(body + cell("print(2)", 2))).ok


def test_a_cell_that_runs_too_long_is_stopped(write_page):
    done = run(write_page(cell("while True: pass") + cell("1", 1)), timeout=1)
    assert statuses(done) == [Status.FAILED, Status.NOT_RUN]
    assert done.verdicts[0].got == "the cell ran longer than 1 s"


def test_a_kernel_that_dies_fails_its_page_only(write_page):
    dying = write_page(cell("import os\nos._exit(3)") + cell("1", 1), "a.md")
    fine = write_page(cell("1", 1), "b.md")
    dead, alive = run_pages([read_page(dying), read_page(fine)])
    assert statuses(dead) == [Status.FAILED, Status.NOT_RUN]
    assert "kernel died" in dead.verdicts[0].got
    assert alive.ok


def test_the_page_itself_is_left_as_it_was(write_page):
    page = read_page(write_page(cell("print(1)", 1)))
    run_pages([page])
    assert page.notebook.cells[0].outputs == []


def test_neighbouring_chunks_of_one_stream_are_joined():
    chunks = [
        new_output("stream", name=name, text=text)
        for name, text in [("stdout", "a"), ("stdout", "b"), ("stderr", "c"), ("stdout", "d")]
    ]
    joined = join_streams(chunks)
    assert [o.text for o in joined] == ["ab", "c", "d"]
    assert [o.name for o in joined] == ["stdout", "stderr", "stdout"]


def test_other_outputs_keep_streams_apart():
    figure = new_output("display_data", data={"image/png": ""})
    outputs = [new_output("stream", text="a"), figure, new_output("stream", text="b")]
    assert join_streams(outputs) == outputs
