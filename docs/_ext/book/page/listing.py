"""``{listing}``: the code that runs, without its docstrings.

A ``literalinclude`` less its docstrings, so the page shows the very file that is imported and stays
short. Lines to emphasize are counted in what is shown.
"""

from __future__ import annotations

import ast
import itertools
import textwrap
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from sphinx.directives.code import LiteralInclude

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx
    from sphinx.util.typing import OptionSpec

KEPT_OPTIONS = ("pyobject", "caption", "name", "emphasize-lines", "class", "dedent")


def docstring_lines(source: str) -> set[int]:
    """Find the 1-based lines of all docstrings, with the blank lines that follow them.

    A docstring that is all there is in its body stays: without it the code would not run.
    """
    lines = source.splitlines()
    found: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is None or len(node.body) == 1:
            continue
        first, second = node.body[:2]
        if first.end_lineno is None or second.lineno <= first.end_lineno:
            continue  # Something else stands on the docstring's line.
        blank = itertools.takewhile(lambda line: not line.strip(), lines[first.end_lineno :])
        found.update(range(first.lineno, first.end_lineno + 1 + len(list(blank))))
    return found


def without_docstrings(source: str) -> str:
    """Leave out those lines. A method that stands alone is read without its indentation."""
    hidden = docstring_lines(textwrap.dedent(source))
    lines = enumerate(source.splitlines(keepends=True), 1)
    return "".join(line for number, line in lines if number not in hidden)


class Listing(LiteralInclude):
    """Show a Python file, or one object of it, without docstrings."""

    option_spec: ClassVar[OptionSpec] = {
        name: LiteralInclude.option_spec[name] for name in KEPT_OPTIONS
    }

    def run(self) -> list[Node]:
        """Include the code, then leave out lines. What cannot be read is reported there."""
        self.options.setdefault("language", "python")
        included = super().run()
        for code in [code for node in included for code in node.findall(nodes.literal_block)]:
            try:
                shown = without_docstrings(code.astext())
            except SyntaxError as error:
                return [self.state.document.reporter.warning(error, line=self.lineno)]
            code.rawsource = shown
            code[:] = [nodes.Text(shown)]
        return included


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("listing", Listing)
