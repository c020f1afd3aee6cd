"""Links to the glossary where they help: a term is linked where a page uses it first.

Not where it is one that every reader knows (``terms_everyday``). Roles in the sources, which may be
read from anywhere, stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx import addnodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def choose_links(app: Sphinx, doctree: nodes.document) -> None:
    """Leave the text alone of all other links."""
    if any(doctree.findall(addnodes.glossary)):
        return  # Its entries are read one at a time.
    seen = set(app.config.terms_everyday)
    for link in list(doctree.findall(addnodes.pending_xref)):
        if link["reftype"] != "term":
            continue
        if link["reftarget"] in seen:
            link.replace_self(nodes.Text(link.astext()))
        else:
            seen.add(link["reftarget"])


def setup(app: Sphinx) -> None:
    """Choose once a page is read."""
    app.add_config_value("terms_everyday", [], "env", [list])
    app.connect("doctree-read", choose_links)
