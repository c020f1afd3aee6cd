"""The command line: check and accept, with exit statuses."""

from __future__ import annotations

import subprocess
import sys

import pytest

from snn_docs.book.__main__ import main

WRONG = "```{code-cell}\nprint(2)\n```\n\n```{testoutput}\n1\n```\n"
RIGHT = WRONG.replace("\n1\n", "\n2\n")


def test_check_says_what_is_right(write_page, capsys):
    assert main(["check", str(write_page(RIGHT))]) == 0
    assert capsys.readouterr().out == (
        "pages run: 1, outputs that match: 1, wrong cells: 0, cells not reached: 0\n"
    )


def test_check_reports_every_wrong_page(write_page, tmp_path, capsys):
    write_page(WRONG, "a.md")
    write_page(RIGHT, "b.md")
    write_page(WRONG, "c.md")
    assert main(["check", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert f"{tmp_path}/a.md:12: " in said
    assert f"{tmp_path}/c.md:12: " in said
    assert "pages run: 3, outputs that match: 1, wrong cells: 2" in said


def test_accept_rewrites_and_shows_the_difference(write_page, capsys):
    page = write_page(WRONG)
    before = page.read_text()
    assert main(["accept", str(page)]) == 0
    assert page.read_text() == before.replace("\n1\n", "\n2\n")
    said = capsys.readouterr().out
    assert "-1\n+2\n" in said
    assert main(["accept", str(page)]) == 0
    assert capsys.readouterr().out.endswith("nothing to accept\n")
    assert main(["check", str(page)]) == 0


def test_accept_keeps_a_page_whose_cell_fails(write_page, capsys):
    page = write_page(RIGHT + "\n```{code-cell}\n1 / 0\n```\n")
    before = page.read_text()
    assert main(["accept", str(page)]) == 1
    assert page.read_text() == before
    assert "ZeroDivisionError" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["check", "accept"])
def test_a_page_that_cannot_be_read_stops_before_any_work(write_page, tmp_path, capsys, command):
    write_page(WRONG, "a.md")
    write_page("```{testoutput}\n1\n```\n", "b.md")
    before = (tmp_path / "a.md").read_text()
    assert main([command, str(tmp_path)]) == 2
    assert "b.md:7: this {testoutput} block does not stand right after" in capsys.readouterr().err
    assert (tmp_path / "a.md").read_text() == before


def test_a_path_that_does_not_exist_is_an_error(tmp_path, capsys):
    assert main(["check", str(tmp_path / "missing.md")]) == 2
    assert "no such page or folder" in capsys.readouterr().err


def test_help_explains_itself():
    command = [sys.executable, "-m", "snn_docs.book", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for word in ("check", "accept", "{testoutput}", "exit status"):
        assert word in said
