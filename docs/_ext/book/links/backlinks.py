"""Links between what is documented and its source, where viewcode leads astray.

It keeps one name for a module, and whatever is documented by another gets a link that leads
nowhere: ``snn_docs.Heaviside`` and ``snn_docs.surrogate.ArcTan`` are of the same module.
And it asks a property for its module, which only the property's function knows.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

FOLDER = "_modules/"
BACK = re.compile(
    r'(?P<before>id="(?P<name>[\w.]+)">\n<a class="viewcode-back" href="[^"#]*#)(?P<target>[\w.]+)'
)


def mend_backlinks(
    app: Sphinx,
    pagename: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Let each link of a page of source lead to a name that is documented."""
    if not pagename.startswith(FOLDER):
        return
    parts = pagename.removeprefix(FOLDER).split("/")
    anchors = {entry[0]: entry[4] for entry in app.env.get_domain("py").get_objects()}

    def mended(link: re.Match[str]) -> str:
        names = (".".join([*parts[:depth], link["name"]]) for depth in range(len(parts), 0, -1))
        return link["before"] + next(
            (anchors[name] for name in names if name in anchors), link["target"]
        )

    context["body"] = BACK.sub(mended, context["body"])


def module_of_property(_: Sphinx, modname: str | None, attribute: str) -> str | None:
    """Return where a property is written; of anything else, viewcode finds it."""
    value: object = sys.modules.get(modname or "")  # autodoc has imported what it documents
    for name in attribute.split("."):
        value = getattr(value, name, None)
    return value.fget.__module__ if isinstance(value, property) else None


def setup(app: Sphinx) -> None:
    """Mend each page before it is written."""
    app.setup_extension("sphinx.ext.viewcode")
    app.connect("html-page-context", mend_backlinks)
    app.connect("viewcode-follow-imported", module_of_property)
