"""The first example of the README can be copied and run."""

from __future__ import annotations

import re
from pathlib import Path

from bookproof import report
from bookproof.__main__ import main

README = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")


def test_the_first_example_can_be_copied_and_says_what_the_readme_says(book, capsys):
    (example,) = re.findall(r"^````markdown\n(.*?)^````$", README, re.DOTALL | re.MULTILINE)
    path = book.write("docs/sums.md", example)
    assert main(["check", "docs/sums.md"]) == 0
    path.write_text(example.replace("\n2\n", "\n3\n"))
    capsys.readouterr()
    assert main(["check", "docs/sums.md"]) == 1
    told = re.findall(r"^```text\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)[0]
    assert capsys.readouterr().out.replace(report.python(), "python").startswith(told)
