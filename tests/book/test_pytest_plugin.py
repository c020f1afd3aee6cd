"""The pytest door: one test per code cell, with its page and line."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

PAGE = """\
---
file_format: mystnb
kernelspec:
  name: python3
---

```{code-cell}
print(1)
```

```{testoutput}
1
```

```{code-cell}
print(2)
```

```{testoutput}
3
```
"""


@pytest.fixture
def run_pytest(pytester):
    def run(text, *arguments):
        (pytester.path / "page.md").write_text(text, encoding="utf-8")
        (pytester.path / "README.md").write_text("# no notebook\n")
        return pytester.runpytest_subprocess("-p", "snn_docs.book.pytest_plugin", *arguments)

    return run


def test_every_cell_is_a_test(run_pytest):
    result = run_pytest(PAGE.replace("\n3\n", "\n2\n"), "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["page.md::line 8 PASSED*", "page.md::line 16 PASSED*"])


def test_a_wrong_cell_fails_alone_and_shows_place_and_difference(run_pytest):
    result = run_pytest(PAGE)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["page.md:20: the cell does not print what the page says*", "    -3", "    +2"]
    )
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_one_cell_can_be_chosen(run_pytest):
    run_pytest(PAGE, "-k", "16").assert_outcomes(failed=1, deselected=1)


def test_last_failed_runs_the_failed_cell_again(run_pytest):
    run_pytest(PAGE)
    run_pytest(PAGE, "--lf").assert_outcomes(failed=1)


def test_a_page_that_cannot_be_read_is_an_error_with_its_line(run_pytest):
    result = run_pytest(PAGE + "\ntext\n\n```{testoutput}\n1\n```\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*page.md:25: this {testoutput} block does not stand right*"])


def test_another_error_keeps_its_traceback(run_pytest, pytester):
    pytester.makeconftest(
        "import snn_docs.book.pytest_plugin as plugin\n"
        "def broken(pages): raise RuntimeError('kernel missing')\n"
        "plugin.run_pages = broken\n"
    )
    result = run_pytest(PAGE)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*RuntimeError: kernel missing*"])
