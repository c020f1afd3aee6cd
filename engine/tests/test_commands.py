"""What the command line understands, and what check and accept do, with exit statuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from book_project import cell, page

from bookproof import commands, report
from bookproof.__main__ import main

WRONG = page(cell("print(2)", 1))
RIGHT = page(cell("print(2)", 2))
UNREADABLE = page("\n```{testoutput}\n1\n```\n")
TURNS = """\
from pathlib import Path
turn = 1 - int(Path("turn").read_text()) if Path("turn").exists() else 0
Path("turn").write_text(str(turn))
"""
DIFFERS = "the cell does not print what the page says (- page, + cell)"

pytestmark = pytest.mark.usefixtures("ran")


def test_check_says_what_is_right(book, said):
    book.write("page.md", RIGHT)
    assert main(["check", "page.md"]) == 0
    counts = "pages: 1, run now: 1, outputs that match: 1, wrong cells: 0, cells not reached: 0\n"
    assert said() == counts


def test_check_reports_every_wrong_page(book, said):
    book.write("a.md", WRONG)
    book.write("b.md", RIGHT)
    book.write("c.md", page(cell("1 / 0")))
    assert main(["check", "."]) == 1
    found = said()
    assert f"a.md:14: {DIFFERS}\n  14 | 1\n" in found
    assert "c.md:10: the cell failed\n" in found
    assert "pages: 3, run now: 3, outputs that match: 1, wrong cells: 2, " in found


def test_check_runs_what_does_not_hold_any_more_and_the_rest_if_told(book, ran):
    book.write("a.md", WRONG)
    book.write("b.md", RIGHT)
    assert main(["check", "."]) == 1
    assert ran.take() == ["a", "b"]
    book.edit("a.md", "print(2)", "print(1)")
    assert main(["check", "."]) == 0
    assert ran.take() == ["a"]
    assert main(["check", ".", "--anew"]) == 0
    assert ran.take() == ["a", "b"]


def test_a_page_that_failed_runs_again_only_when_something_has_changed(book, said, ran):
    book.write("page.md", page(cell("print(open('data.txt').read())", 1), title="Page"))
    assert main(["check", "."]) == 1
    first = said().replace("run now: 1", "run now: 0")
    assert "FileNotFoundError" in first
    assert ran.take() == ["page"]
    assert main(["check", "."]) == 1
    assert said() == first
    assert ran.take() == []
    book.edit("page.md", "# Page", "# Page\n\nA line moves the cell.")
    assert main(["check", "."]) == 1
    assert "page.md:12: the cell failed" in said()
    book.write("data.txt", "1")
    assert main(["check", "."]) == 0
    assert ran.take() == ["page", "page"]


def test_accept_says_that_a_page_cannot_be_written(book, capsys, monkeypatch):
    path = book.write("page.md", WRONG)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(commands, "write_atomically", refuse)
    assert main(["accept", "page.md"]) == 2
    assert capsys.readouterr().err.endswith("page.md:1: can't be written: Permission denied\n")
    assert path.read_text() == WRONG


def test_accept_rewrites_and_shows_the_difference(book, said, ran):
    path = book.write("page.md", WRONG)
    assert main(["accept", "page.md"]) == 0
    assert path.read_text() == RIGHT
    ended = "1 of 1 cells checked\n"
    assert said().endswith(f"-1\n+2\n ```\n{ended}")
    assert main(["accept", "page.md"]) == 0
    assert said() == f"page.md: nothing to accept\n{ended}"
    ran.clear()
    assert main(["check", "page.md"]) == 0
    assert ran.take() == []  # it has run already


def test_accept_gives_blocks_to_a_page_without_any_where_others_have_some_only_if_named(book, said):
    path = book.write("page.md", page(cell("print(2)")))
    book.write("other.md", RIGHT)
    assert main(["accept", "."]) == 0
    assert "page.md: nothing to accept, since it has no block; name the page itself" in said()
    assert path.read_text() == page(cell("print(2)"))
    assert main(["accept", "page.md"]) == 0
    assert path.read_text() == RIGHT
    book.write("page.md", page(cell("print(2)"), cell("print(3)", 3)))
    assert main(["accept", "."]) == 0
    assert path.read_text() == page(cell("print(2)", 2), cell("print(3)", 3))


def test_accept_gives_a_book_without_blocks_those_of_all_its_pages(book, said):
    silent = page(cell("x = 1"))
    paths = book.write("a.md", page(cell("print(2)"))), book.write("b.md", page(cell("print(2)")))
    book.write("d.md", page(cell("print(2)"), cell("x = 1")))
    book.write("c.md", silent)
    assert main(["accept", "."]) == 0
    assert [path.read_text() for path in paths] == [RIGHT, RIGHT]
    assert Path("c.md").read_text() == silent
    assert said().endswith("\n3 of 3 cells checked\n")
    assert main(["check", "."]) == 0
    assert "outputs that match: 3, wrong cells: 0" in said()


def test_accept_pins_what_two_runs_share_and_lists_the_rest(book, said):
    cells = {
        "object()": "<object at 0x…>",
        "import time\nprint(time.strftime('%Y-%m-%d %H:%M:%S'), 'now')": "... now",
        f"{TURNS}0.5 + 1e-9 * turn": "0.5",
        "import random\nprint(*random.sample(range(1000), 9))": "",
        "!echo installed": "",
        "print(2)": "2",
        "print('\\x1b[31mred\\x1b[0m \\x1b]8;;http://x\\x1b\\\\link')": "red link",
        "print('a\\x0cb')": "",
    }
    book.write("page.md", page(*map(cell, cells), cell("print(3)", head=":tags: [hide-output]")))
    assert main(["accept", "."]) == 0
    text, told = Path("page.md").read_text(), said()
    for _ in range(3):  # it holds
        assert main(["check", "--anew", "."]) == 0
    assert "outputs that match: 5, outputs skipped: 4, wrong cells: 0" in said()
    assert told.endswith(
        "\n5 of 9 cells checked; 4 not, because it prints something else in a second run (1), it "
        "runs a command of the system (1), it prints a control character (1), the page hides it "
        "(1)\n"
    )
    assert "\x1b" not in text
    assert "```{testoutput}\nred link\n```" in text
    assert "```{testoutput}\n<object at 0x…>\n```" in text
    assert "```{testoutput}\n:options: +ELLIPSIS\n\n... now\n```" in text
    assert "```{testoutput}\n:atol:" in text or "```{testoutput}\n:rtol:" in text
    skipped = re.findall(r"page\.md:\d+: not compared: (.*)", told)
    assert skipped == [
        "it prints something else in a second run",
        "it runs a command of the system",
        "it prints a control character",
        "the page hides it",
    ]
    assert all(f":reason: {reason}\n```" in text for reason in skipped)
    assert "page.md:18: ... stands for its addresses or times" in told


def test_accept_gives_no_blocks_to_a_page_of_which_a_cell_fails(book, said):
    text = page(cell("print(2)"), cell("1 / 0"))
    path, other = book.write("a.md", text), book.write("b.md", page(cell("print(2)")))
    assert main(["accept", "."]) == 1
    assert path.read_text() == text
    assert other.read_text() == RIGHT
    told = said()
    assert f"a.md: {report.FAILS}\n" in told
    assert told.endswith(
        "\n1 of 3 cells checked; 2 not, because it has no block (1), it or one before it fails "
        "(1)\n"
    )


@pytest.mark.parametrize("expected", [None, 1])
def test_accept_says_which_cell_failed_in_the_second_run(book, said, expected):
    text = page(cell("print(2)", expected), cell("open('once', 'x').close()"))
    path = book.write("page.md", text)
    assert main(["accept", "page.md"]) == 1
    assert path.read_text() == text
    told = said()
    assert re.search(r"^page\.md:\d+: the cell failed$", told, re.MULTILINE)
    assert "FileExistsError" in told
    assert f"page.md: {report.FAILS_AGAIN}\n" in told
    reason = "it was left as it is" if expected else "it has no block"
    assert told.endswith(f"\n0 of 1 cells checked; 1 not, because {reason} (1)\n")


def test_a_named_page_without_cells_is_no_fault_beside_others(book, said):
    path = book.write("page.md", WRONG)
    assert main(["accept", "index.md", "page.md"]) == 0
    assert path.read_text() == RIGHT


def test_accept_changes_no_other_byte(book):
    text = f"{WRONG}\n膜電位  \t\n\n\n{cell('3', 3)}\n\x0c\u2028 end".replace("\n", "\r\n")
    path = book.write("page.md", text)
    path.chmod(0o640)
    assert main(["accept", "page.md"]) == 0
    assert path.read_bytes().decode() == text.replace("\r\n1\r\n", "\r\n2\r\n") != text
    assert path.stat().st_mode & 0o777 == 0o640


def test_accept_leaves_a_block_whose_cell_prints_something_else_twice_and_takes_the_rest(
    book, said
):
    shaky = cell("import random\nprint(random.random())", 0.5)
    path = book.write("a.md", page(cell("print(2)", 1), shaky, cell("import time\ntime.time()")))
    assert main(["accept", "."]) == 1
    skip = ":options: +SKIP\n:reason: it prints something else in a second run"
    new = page(cell("print(2)", 2), shaky, cell("import time\ntime.time()", skip))
    assert path.read_text() == new
    found = said()
    assert f"a.md:18: {report.UNSTEADY}\n" in found
    assert "a.md:10" not in found
    assert "\n1 of 3 cells checked; 2 not, because it was left as it is (1), it prints" in found


def test_accept_leaves_a_page_that_was_edited_meanwhile(book, capsys, monkeypatch):
    path = book.write("a.md", WRONG)
    book.write("b.md", WRONG)

    again = commands.run_again

    def edit(runs):
        path.write_text(f"{WRONG}\nedited\n")
        return again(runs)

    monkeypatch.setattr(commands, "run_again", edit)
    assert main(["accept", "."]) == 2
    assert path.read_text() == f"{WRONG}\nedited\n"
    assert Path("b.md").read_text() == RIGHT
    assert capsys.readouterr().err.endswith(
        "a.md:1: the page was edited while its cells ran; accept again\n"
    )


@pytest.mark.parametrize("command", ["check", "accept"])
def test_pages_that_cannot_be_read_stop_before_any_work(book, capsys, ran, command):
    path = book.write("a.md", WRONG)
    book.write("b.md", UNREADABLE)
    book.write("c.md", RIGHT).write_bytes(RIGHT.encode().replace(b"Page", b"Caf\xe9"))
    assert main([command, "."]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    first, second = streams.err.splitlines()
    assert first.startswith("b.md:9: this {testoutput} block does not stand right after a code ")
    assert second == "c.md:7: not encoded in UTF-8: invalid continuation byte"
    assert path.read_text() == WRONG
    assert ran.take() == []


@pytest.mark.parametrize("command", ["check", "accept"])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing.md", "no such page or folder: missing.md\n"),
        ("there.md", "no such page or folder: there.md; did you mean docs/there.md?\n"),
        ("README.md", "README.md:1: not a MyST notebook; start it with `file_format: mystnb`\n"),
        ("broken", "/broken/conf.py: There is a programmable error in your configuration file:\n"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_line(book, capsys, command, path, message):
    book.write("README.md", "# Read me\n")
    book.write("broken/conf.py", "1 / 0")
    book.write("broken/page.md", RIGHT)
    book.write("docs/there.md", RIGHT)
    assert main([command, path]) == 2
    told = capsys.readouterr().err
    assert told.startswith((message, f"{book.folder}{message}"))


def test_a_page_that_is_not_to_be_run_is_left_and_told_if_it_was_named(book, said, ran):
    text = page(cell("print(1)"), front="mystnb: {execution_mode: 'off'}\n")
    book.write("page.md", text)
    assert main(["check", "."]) == 0
    assert said().startswith("pages: 0, run now: 0, ")
    assert main(["accept", "page.md"]) == 0
    assert said().startswith("page.md: not run: its execution_mode is off\n")
    assert Path("page.md").read_text() == text
    assert ran.take() == []


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Watch what is asked for, instead of doing it."""
    seen = []
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(commands, "execute", lambda options: seen.append(options) or 7)
    return seen


@pytest.mark.parametrize(
    "arguments", [[], ["chekc"], ["check", "--fast"], ["accept", "--anew"], ["run"]]
)
def test_what_it_does_not_understand_is_refused(capsys, arguments, asked):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: python -m bookproof" in capsys.readouterr().err
    assert not asked


@pytest.mark.parametrize(
    ("arguments", "anew"),
    [(["check"], False), (["check", "--anew"], True), (["accept"], False)],
)
def test_what_is_asked_for(asked, arguments, anew):
    assert main(arguments) == 7
    [options] = asked
    assert options.command == arguments[0]
    assert [str(path) for path in options.paths] == ["docs"]
    assert options.anew is anew
