"""Which scripts a page loads: those that do something here, and none before the page is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# Sphinx's and the theme's own: page.js and search.js do what is left for them to do.
UNUSED = {
    "_static/doctools.js",
    "_static/sphinx_highlight.js",
    "_static/translations.js",
    "_static/scripts/sphinx-book-theme.js",
}
# What puts a button on code.
COPYING = {"_static/clipboard.min.js", "_static/copybutton.js", "_static/copybutton-ja.js"}
# What shows beside a link what it stands for.
SHOWING = {"_static/at_hand.js"}


def choose_scripts(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: object
) -> None:
    """Leave out what is not used, and let the rest wait until the page is there."""
    body = context.get("body", "")
    copying = set() if "<pre" in body else COPYING
    showing = set() if 'class="reference internal"' in body else SHOWING
    unused = UNUSED | copying | showing
    scripts = [script for script in context["script_files"] if str(script.filename) not in unused]
    context["script_files"] = scripts
    for script in scripts:
        script.attributes.setdefault("defer", "defer")


def setup(app: Sphinx) -> None:
    """Choose, after everybody has added theirs."""
    app.add_js_file("page.js")
    app.connect("html-page-context", choose_scripts, priority=900)
