"""``{listing}``: the code that runs, without its docstrings.

A ``literalinclude`` whose ``lines`` are everything but docstrings, so the page shows the very file
that is imported and stays short. Lines to emphasize are counted in what is shown.
"""

from __future__ import annotations

import ast
import itertools
from typing import TYPE_CHECKING, ClassVar

from sphinx.directives.code import LiteralInclude, LiteralIncludeReader

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata, OptionSpec

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


def ranges(numbers: list[int]) -> str:
    """Write sorted numbers as ``literalinclude`` reads them: ``1-3,7-9``."""
    groups = itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
    runs = [[number for _, number in group] for _, group in groups]
    return ",".join(f"{run[0]}-{run[-1]}" for run in runs)


class Listing(LiteralInclude):
    """Show a Python file, or one object of it, without docstrings."""

    option_spec: ClassVar[OptionSpec] = {
        name: LiteralInclude.option_spec[name] for name in KEPT_OPTIONS
    }

    def run(self) -> list[Node]:
        """Choose the lines, then include them. What cannot be read is reported there."""
        _, filename = self.env.relfn2path(self.arguments[0])
        reader = LiteralIncludeReader(filename, {"lineno-match": None, **self.options}, self.config)
        try:
            source = reader.read_file(filename)
            shown = reader.pyobject_filter(source)
            hidden = docstring_lines("".join(source))
        except (OSError, SyntaxError, ValueError) as error:
            self.env.note_dependency(filename)
            return [self.state.document.reporter.warning(error, line=self.lineno)]
        first = reader.lineno_start
        kept = [i for i in range(1, len(shown) + 1) if i + first - 1 not in hidden]
        self.options["lines"] = ranges(kept)
        self.options.setdefault("language", "python")
        return super().run()


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("listing", Listing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
