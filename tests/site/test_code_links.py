"""Where the names in the book's cells lead."""

from __future__ import annotations

import posixpath

from pages import DOCS, FILES
from sphinx_project import opening, script

from bookproof.page import is_page

PAGES = [name for name, path in FILES.items() if is_page(path)]


def test_the_inventories_are_those_of_the_cells():
    """If this fails, run docs/_data/inventories.py, and read the difference."""
    made = script(DOCS / "_data" / "inventories.py").inventories()
    for project, text in made.items():
        kept = (DOCS / "_data" / "inventories" / f"{project}.txt").read_text(encoding="utf-8")
        assert kept == text, project


def test_links_in_code_lead_to_five_projects_and_the_api(built_site):
    hosts = set()
    for name in PAGES:
        for link in opening(built_site / f"{name}.html", "a", "code-link").select("a.code-link"):
            place, _, anchor = link["href"].partition("#")
            assert anchor, link
            ours = "://" not in place
            place = posixpath.basename(place) if ours else place
            hosts.add(place if ours else place.split("/")[2])
            assert ("noopener" in link.get("rel", [])) != ours
    assert hosts == {
        *("api_neurons.html", "api_extended_neurons.html"),
        *("api_surrogates.html", "api_networks.html"),
        *("docs.python.org", "docs.pytorch.org"),
        *("matplotlib.org", "numpy.org", "scikit-learn.org"),
    }
