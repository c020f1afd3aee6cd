"""Names in cells lead to their documentation, in the book and elsewhere."""

from __future__ import annotations

import pytest
from book.links import codelinks
from sphinx_project import Built, build

INVENTORY = """\
# Sphinx inventory version 1
# Project: torch
# Version:
torch mod torch.html
torch.Tensor class tensors.html
torch.Tensor.sum method generated/torch.Tensor.sum.html
torch.zeros function generated/torch.zeros.html
torch.nn mod nn.html
torch.nn.Module class generated/torch.nn.Module.html
"""
PAGE = """---
file_format: mystnb
kernelspec: {name: python3}
language_info: {name: python, pygments_lexer: ipython3}
---
# 題

```{code-cell} ipython3
import math, torch

# <&> "日本"
x = torch.zeros(3).sum()
```

文。

```{code-cell} ipython3
x.sum(); torch.zeros(2); x.nothing; math.floor(x); torch.nn.Module; torch.nn
```

```python
torch.zeros(3)
```

{py:class}`torch.nn.modules.module.Module` {py:class}`torch._C.Tensor`
"""
OWN = """
```{py:function} math.floor(x)
```

```{toctree}
other
```
"""
SETTINGS = (
    'intersphinx_mapping = {"torch": ("https://example.org/", "torch.txt")}\n'
    'nb_execution_mode = "off"\n'
)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Built:
    folder = tmp_path_factory.mktemp("links")
    (folder / "docs").mkdir()
    (folder / "docs" / "torch.txt").write_text(INVENTORY, encoding="utf-8")
    pages = {"index.md": PAGE + OWN, "other.md": PAGE}
    built = build(folder, pages, "myst_nb", "book.links.codelinks", settings=SETTINGS)
    assert built.code == 0, built.messages
    return built


def test_names_lead_where_the_inventories_say(site):
    for page, own in (("index", "#math.floor"), ("other", "index.html#math.floor")):
        links = site.page(page).select("div.cell_input a")
        there = [link["href"].removeprefix("https://example.org/") for link in links]
        assert list(zip([link.text for link in links], there, strict=True)) == [
            ("torch", "torch.html#module-torch"),
            ("torch.zeros", "generated/torch.zeros.html#torch.zeros"),
            ("sum", "generated/torch.Tensor.sum.html#torch.Tensor.sum"),
            ("sum", "generated/torch.Tensor.sum.html#torch.Tensor.sum"),
            ("torch.zeros", "generated/torch.zeros.html#torch.zeros"),
            ("math.floor", own),
            ("torch.nn.Module", "generated/torch.nn.Module.html#torch.nn.Module"),
            ("torch.nn", "nn.html#module-torch.nn"),
        ]
        assert [link["href"] for link in links if "noopener" not in link.get("rel", [])] == [own]


def test_the_first_of_each_name_on_a_page_takes_the_focus(site):
    """A name within a longer one is no link, and does not count."""
    for page in ("index", "other"):
        links = site.page(page).select("div.cell_input a")
        again = [link.text for link in links if link.get("tabindex") == "-1"]
        assert again == ["sum", "torch.zeros"]


def test_the_code_is_what_it_was(site):
    codes = [node.text for node in site.page().select("div.cell_input pre")]
    assert codes[0] == 'import math, torch\n\n# <&> "日本"\nx = torch.zeros(3).sum()\n'
    assert (
        codes[1] == "x.sum(); torch.zeros(2); x.nothing; math.floor(x); torch.nn.Module; torch.nn\n"
    )


def test_only_cells_are_linked(site):
    assert not site.page().select(".highlight-python a")


def test_types_are_found_by_where_they_are_made(site):
    links = site.page().select("p a[href^=https]")
    assert [link["href"].partition("#")[2] for link in links] == ["torch.nn.Module", "torch.Tensor"]
    assert all("external" in link["class"] for link in links)


@pytest.mark.parametrize("wrong", ["{py:class}`Thing`", "{option}`Tensor`", "{py:class}`a.Zeros`"])
def test_a_type_that_is_two_or_none_is_a_warning(tmp_path, wrong):
    (tmp_path / "docs").mkdir()
    two = "torch.fft.Thing class fft.html\ntorch.nn.Thing class nn.html\n"
    (tmp_path / "docs" / "torch.txt").write_text(INVENTORY + two, encoding="utf-8")
    page = {"index.md": f"# 題\n\n{wrong}\n"}
    built = build(tmp_path, page, "myst_nb", "book.links.codelinks", settings=SETTINGS)
    assert built.code == 1
    assert "reference target not found" in built.messages or "unknown option" in built.messages
    assert not built.page().select("p a[href^=https]")


def test_addresses_are_written_as_html_has_them(tmp_path):
    (tmp_path / "docs").mkdir()
    odd = "torch.amp function amp.html?a=1&lt=2\n"
    (tmp_path / "docs" / "torch.txt").write_text(INVENTORY + odd, encoding="utf-8")
    page = {
        "index.md": PAGE.partition("# 題")[0]
        + "# 題\n\n```{code-cell}\nimport torch\ntorch.amp()\n```\n"
    }
    built = build(tmp_path, page, "myst_nb", "book.links.codelinks", settings=SETTINGS)
    assert built.code == 0, built.messages
    link = built.page().select("div.cell_input a")[-1]
    assert link["href"] == "https://example.org/amp.html?a=1&lt=2#torch.amp"


@pytest.mark.parametrize(
    ("source", "highlighted", "links", "expected"),
    [
        (
            "a.b\n",
            (
                '<pre><span></span><span class="n">a</span><span class="o">.</span>'
                '<span class="n">b</span>\n</pre>'
            ),
            [(0, 3, "t")],
            (
                '<pre><span></span><a t><span class="n">a</span><span class="o">.</span>'
                '<span class="n">b</span></a>\n</pre>'
            ),
        ),
        (
            "@a.b",
            '<pre><span class="nd">@a</span><span class="o">.</span><span class="n">b</span></pre>',
            [(1, 4, "t")],
            (
                '<pre><a t><span class="nd">@a</span><span class="o">.</span>'
                '<span class="n">b</span></a></pre>'
            ),
        ),
        (
            "<b",
            '<pre><span class="s">&lt;</span><span class="n">b</span></pre>',
            [(1, 2, "t")],
            '<pre><span class="s">&lt;</span><a t><span class="n">b</span></a></pre>',
        ),
    ],
)
def test_links_hold_whole_elements(source, highlighted, links, expected):
    assert codelinks.linked(highlighted, source, links) == expected
