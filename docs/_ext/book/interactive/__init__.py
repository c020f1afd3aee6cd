"""``{interactive} NAME``: a figure that a reader works by hand, with the package's own numbers.

Each figure is a script beside this file, which follows the scripts that it takes names from. While
the site is built they run in a V8 that comes as a Python wheel: their first state becomes a part of
the page, and is all there is where no script runs. They are no modules: browsers load none from
``file://``.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from book.files import write_atomically
from book.v8 import running

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx
    from sphinx.util.typing import OptionSpec
    from sphinx.writers.html5 import HTML5Translator

HERE = Path(__file__).parent
SHARED = ("neuron", "plot", "widget")
FIGURES = {
    "if-neuron": ("trace", "fountain", "play"),
    "resets": ("trace",),
    "surrogate": ("derivatives", "reached"),
    "raster": ("uniform", "encodings"),
    "coincidence": ("trace",),
    "noise": ("derivatives",),
    "factors": ("trace",),
    "loop": ("derivatives",),
    "stairs": ("converted",),
    "order": (),
}
"""The figures, and what each needs besides what they share."""
STYLE = "interactive.css"
COMMENT = re.compile(r"^ *//.*\n", re.MULTILINE)
# Three draws of 64 steps for the 17 values of raster.js, one after the other.
UNIFORM_SHAPE = (3 * 64, 17)
RECORDS = HERE.parents[2] / "experiments"
DEPTHS = (2, 8)
STEEPEST = 1


class InteractiveNode(nodes.General, nodes.Element):
    """The part of a figure that a module draws."""

    def astext(self) -> str:
        """Say what it shows."""
        return first_state(self["figure"], "words")


@cache
def uniform() -> str:
    """Write a script of torch's own random numbers, so that no generator is written again.

    Of each number there is the first hexadecimal digit after the point.
    """
    import torch  # noqa: PLC0415 - takes a second, which only a page with the figure has to wait

    numbers = torch.rand(UNIFORM_SHAPE, generator=torch.Generator().manual_seed(0))
    digits = "".join(f"{int(16 * u):x}" for u in numbers.flatten().tolist())
    return f'const uniform = "{digits}";\n'


def recorded(name: str) -> list[dict[str, Any]]:
    """Return what a benchmark has kept for the book."""
    rows: list[dict[str, Any]] = json.loads((RECORDS / f"{name}.json").read_bytes())["rows"]
    return rows


def reached() -> str:
    """Write a script of potentials before learning, and of what was learnt with each surrogate."""
    ends: dict[tuple[str, float], dict[float, list[float]]] = {}
    for row in recorded("surrogate_choice"):
        if row["bias"] == 0 and row["slope"]:
            rates = ends.setdefault((row["surrogate"], row["slope"]), {})
            rates.setdefault(row["rate"], []).append(row["accuracies"][-1])
    accuracies: dict[str, list[tuple[float, float]]] = {}
    for (name, slope), rates in ends.items():
        if slope <= STEEPEST:
            best = max(fmean(seeds) for seeds in rates.values())
            accuracies.setdefault(name, []).append((slope, round(best, 4)))
    (potentials,) = recorded("surrogate_potentials")
    return f"const reached = {json.dumps({**potentials, 'accuracies': accuracies})};\n"


def converted() -> str:
    """Write a script of how right converted networks were, by their depth and their steps."""
    networks = [
        {
            "layers": row["depth"],
            "ann": round(fmean(row["ann"]), 4),
            "reached": {
                step: round(fmean(of_step), 4)
                for step, of_step in zip(
                    row["steps"], zip(*row["spikes"], strict=True), strict=True
                )
            },
        }
        for row in recorded("conversion_depth")
        if row["depth"] in DEPTHS
    ]
    return f"const converted = {json.dumps(networks)};\n"


WRITTEN: dict[str, Callable[[], str]] = {
    "uniform": uniform,
    "reached": reached,
    "converted": converted,
}
"""What is no file beside this one."""


def part(name: str) -> str:
    """Return the text of one script."""
    if name in WRITTEN:
        return WRITTEN[name]()
    return (HERE / f"{name}.js").read_text(encoding="utf-8")


def definitions(name: str) -> str:
    """Return the text of a figure, after that of all that it takes names from."""
    return "".join(map(part, (*SHARED, *FIGURES[name], name)))


def bundle(name: str) -> str:
    """Return the script of a figure, for the pages that hold it: it leaves no name behind.

    Nor has it the lines that only its writers read.
    """
    code = COMMENT.sub("", definitions(name))
    return f'"use strict";\n{{\n{code}start(figure);\n}}\n'


def first_state(name: str, form: str, *arguments: str) -> str:
    """Return a figure before anybody has touched it: its ``markup``, ``still`` or ``words``."""
    written = ", ".join(["figure", *map(json.dumps, arguments)])
    return str(running(definitions(name)).eval(f"{form}({written})"))


class Interactive(SphinxDirective):
    """Show one of the figures, numbered and with its caption, which is the content."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[OptionSpec] = {"name": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Make a figure as any other, but for what is drawn."""
        name = self.arguments[0]
        if name not in FIGURES:
            raise self.error(f"no interactive figure {name!r}: there are {', '.join(FIGURES)}")
        if not self.content or "name" not in self.options:
            raise self.error(f"the figure {name!r} needs a :name: and, below it, a caption")
        for path in sorted((*HERE.glob("*.js"), *RECORDS.glob("*.json"))):
            self.env.note_dependency(path)
        words, messages = self.parse_inline(" ".join(self.content), lineno=self.content_offset + 1)
        figure = nodes.figure("", InteractiveNode(figure=name), nodes.caption("", "", *words))
        self.set_source_info(figure)
        self.add_name(figure)
        return [figure, *messages]


def visit(translator: HTML5Translator, node: InteractiveNode) -> None:
    """Write a figure into a page; into an e-book, where scripts may not run, a still one."""
    if translator.builder.embedded:
        translator.body.append(first_state(node["figure"], "still"))
    else:
        translator.body.append(first_state(node["figure"], "markup", node.parent["ids"][0]))
    raise nodes.SkipNode


def add_files(
    app: Sphinx,
    _page: str,
    _template: str,
    _context: dict[str, object],
    doctree: nodes.document | None,
) -> None:
    """Load the scripts on pages that have figures."""
    found = doctree.findall(InteractiveNode) if doctree is not None else ()
    for name in sorted({node["figure"] for node in found}):
        if not app.builder.embedded:  # type: ignore[attr-defined]
            script = f"interactive/{name}.js"
            write_atomically(Path(app.outdir, "_static", script), bundle(name))
            app.add_js_file(script, loading_method="defer")


def setup(app: Sphinx) -> None:
    """Register the directive and what follows from it."""
    app.add_node(InteractiveNode, html=(visit, None))
    app.add_directive("interactive", Interactive)
    app.add_css_file(STYLE)
    app.connect("html-page-context", add_files)
