"""Pages that are hard to set, read in a browser: whatever a page holds, it fits and can be used."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from audit import DESK, PHONE
from browsers import in_browser, opened
from site_server import served

pytestmark = in_browser

ROOT = Path(__file__).parents[2]
NARROW = 320
NAME = "identifier_that_has_no_place_to_break_and_goes_on_and_on_and_on"
URL = "https://example.org/a/very/long/address/without/any/place/to/break/it/anywhere/at/all"
SUM = "+".join(f"x_{{{number}}}" for number in range(1, 21))
TABLE = f"| 名前 | {'値 | ' * 8}\n|{'---|' * 9}\n| `{NAME}` | {'1234567890 | ' * 7}${SUM}$ |\n"
LINE = f'a_line_of_code = "{NAME * 2}"'
FORMULA = f"$$\ny = {SUM}\n$$"


def indented(text: str, by: int) -> str:
    return text.replace("\n", "\n" + by * " ")


PAGE = f"""\
# {NAME}を含む題名

[リンク]({URL})と`{NAME}`と式${SUM}$です[^a]。{URL}を見ます。$\\aleph$もあります。

[^a]: 脚注の`{NAME}`と{URL}です。

    ```python
    {LINE}
    ```

    {indented(TABLE, 4)}
    {indented(FORMULA, 4)}

## 出力と{NAME}

```{{code-cell}} ipython3
print("x" * 500)
```

```{{testoutput}}
{"x" * 500}
```

```{{code-cell}} ipython3
print("\\n".join("y" * 200))
```

```{{testoutput}}
{chr(10).join("y" * 200)}
```

```{{code-cell}} ipython3
from IPython.display import HTML

HTML("<table><tr>" + "<td>1234567890</td>" * 20 + "</tr></table>")
```

```{{testoutput}}
:options: +ELLIPSIS
<table><tr>...
```

{TABLE}
```{{list-table}} {NAME}の表
* - `{NAME}`
  - ${SUM}$
```

{FORMULA}

- 1
  - 2
    - 3
      - 4
        - 5 `{NAME}`

          ```python
          {LINE}
          ```

> 引用の`{NAME}`
>
> ```python
> {LINE}
> ```

:::{{note}}
{TABLE}
{FORMULA}
:::

```{{figure}} wide.svg
:alt: 幅の広い絵

{NAME}の絵
```

{NAME}
: 説明の`{NAME}`

```{{eval-rst}}
.. py:function:: module.{NAME}(argument: {NAME} = {NAME}, *, another: int = 1) -> dict

   説明です。

   :param {NAME}: 説明です。
   :param other: 説明です。

   >>> {NAME}(other=1)
   {{'{NAME}': '{NAME}'}}
   >>> for number in range(2):
   ...     print(number)
   ...
   0
   1

.. code-block:: console

   $ python -m pip install package
   Successfully installed package
   $ python -m package \\
       --option
   done
```

```{{toctree}}
second
third
```
"""
DESCRIBED = "myst: {html_meta: {description: 説明。}}"
CELLS = f"---\nfile_format: mystnb\nkernelspec: {{name: python3}}\n{DESCRIBED}\n---\n"
FRONT = f"---\n{DESCRIBED}\n---\n"
SECOND = f"# 次の頁の{NAME}\n\n式のない頁です。\n"
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1600 90" width="1600" height="90"></svg>'
)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A site with the settings of the book's own."""
    folder = tmp_path_factory.mktemp("reading")
    source = folder / "docs"
    source.mkdir()
    for part in ("_data", "experiments"):
        shutil.copytree(ROOT / "docs" / part, source / part, ignore=shutil.ignore_patterns("*.md"))
    pages = {"index": CELLS + PAGE, "second": FRONT + SECOND, "third": f"{FRONT}# 最後の頁\n"}
    for name, page in pages.items():
        (source / f"{name}.md").write_text(page, encoding="utf-8")
    (source / "wide.svg").write_text(SVG, encoding="utf-8")
    # An API can't be taken; the book's other words lead to its own pages.
    settings = ("-D", "nitpicky=0", "-D", "suppress_warnings=takeaway", "-D", "search_words=")
    options = ("-W", "--keep-going", "-b", "html", "-c", ROOT, "-d", folder / "doctrees")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, *settings, source, folder / "html"],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.fixture(scope="module", params=["file", "folder"])
def address(request, site):
    """The site as it lies on a disk, and in a folder of a server."""
    with ExitStack() as stack:
        if request.param == "file":
            yield f"{site.as_uri()}/"
        else:
            yield f"{stack.enter_context(served(site.parent))}{site.name}/"


@pytest.fixture(scope="module")
def server(site):
    with served(site) as address:
        yield address


# What is wider than the screen, and not within something that scrolls. MathML is heard, not seen.
PARTS = ".bd-article *, .bd-header-article *, footer *"
CUT = (
    f"width => [...document.querySelectorAll('{PARTS}')]"
    """.filter((element) => {
    const { right, width: own } = element.getBoundingClientRect();
    if (own === 0 || element.closest(".katex-mathml") || right <= width + 0.5) return false;
    for (let e = element.parentElement; e.tagName !== "BODY"; e = e.parentElement)
      if (["auto", "scroll"].includes(getComputedStyle(e).overflowX)) return false;
    return true;
  }).map((element) => element.outerHTML.slice(0, 200))"""
)
SCROLLS = "e => e.scrollWidth > e.clientWidth && getComputedStyle(e).overflowX === 'auto'"


@pytest.mark.parametrize("width", [NARROW, PHONE, 768, DESK])
def test_nothing_is_wider_than_the_screen(browser, server, width):
    with opened(browser, server, width=width) as page:
        for name in ("index", "second"):
            page.goto(f"{server}{name}.html", wait_until="networkidle")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.locator(".sd-none, details").evaluate_all(
                "all => all.forEach((e) => e.open = true)"
            )
            assert page.evaluate(CUT, width) == []


@pytest.mark.parametrize(
    ("wide", "count"),
    [
        ("pre", 6),
        (".math-scroll", 3),
        (".pst-scrollable-table-container", 4),
        ("aside.footnote .math-scroll, .footnote-list .math-scroll", 1),
        (".output.text_html", 1),
    ],
)
def test_what_is_wide_scrolls_in_itself(browser, server, wide, count):
    with opened(browser, server, width=NARROW) as page:
        page.goto(f"{server}index.html", wait_until="networkidle")
        found = page.locator(f".bd-article :is({wide})").all()
        assert len([element for element in found if element.evaluate(SCROLLS)]) >= count


def test_a_long_output_scrolls_in_itself(browser, server):
    with opened(browser, server, width=NARROW) as page:
        page.goto(f"{server}index.html", wait_until="networkidle")
        output = page.locator(".output.stream", has_text="y").first
        assert output.evaluate("e => e.scrollHeight > 2 * e.clientHeight && e.clientHeight < 600")


def test_names_and_formulas_are_broken_only_if_they_have_to(browser, server):
    with opened(browser, server, width=NARROW) as page:
        page.goto(f"{server}index.html", wait_until="networkidle")
        lines = "e => e.getClientRects().length"
        paragraph = page.locator(".bd-article section > p:not(.byline)").first
        assert paragraph.locator("code .pre").evaluate(lines) > 1
        assert paragraph.locator(".math").first.evaluate(lines) > 1
        assert paragraph.locator(".math").last.evaluate(lines) == 1
        assert page.locator("td code .pre").first.evaluate(lines) == 1
        assert page.locator("td .math").first.evaluate(lines) == 1


# ---- Copying ----


def copied(page, block) -> str:
    """Press the button of a block, and read the clipboard."""
    block.hover()
    page.evaluate("navigator.clipboard.writeText('nothing')")
    block.locator("xpath=..").locator("button.copybtn").click()
    page.wait_for_function("navigator.clipboard.readText().then((text) => text !== 'nothing')")
    return page.evaluate("navigator.clipboard.readText()")


@pytest.fixture
def reader(browser, server):
    with opened(browser, server, width=DESK) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(f"{server}index.html", wait_until="networkidle")
        yield page


def test_prompts_and_outputs_are_left_when_code_is_copied(reader):
    block = reader.locator("dd pre", has_text=">>>")
    code = f"{NAME}(other=1)\nfor number in range(2):\n    print(number)"
    assert copied(reader, block).strip() == code
    block = reader.locator("pre", has_text="$ python")
    commands = "python -m pip install package\npython -m package \\\n    --option"
    assert copied(reader, block).strip() == commands


def test_a_cell_is_copied_whole(reader):
    block = reader.locator(".cell_input pre", has_text="IPython.display")
    assert copied(reader, block) == block.inner_text().removesuffix("\n")
    assert reader.locator(".cell_output button.copybtn").count() == 0


# ---- Formulas ----


def test_a_formula_is_heard_once_and_not_as_its_source(browser, server):
    with opened(browser, server, width=DESK) as page:
        page.goto(f"{server}index.html", wait_until="networkidle")
        session = page.context.new_cdp_session(page)
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        heard = [node for node in nodes if not node["ignored"]]
        texts = [n["name"]["value"] for n in heard if n["role"]["value"] == "StaticText"]
        assert len([text for text in texts if "ℵ" in text]) == 1
        assert not [text for text in texts if "aleph" in text]
        roles = [node["role"]["value"] for node in heard]
        assert roles.count("MathMLMath") == page.locator("math").count() > 5


# ---- From a disk, and from a folder of a server ----


def test_pages_lead_to_each_other(browser, address):
    with opened(browser, address, width=DESK) as page:
        page.goto(f"{address}index.html", wait_until="networkidle")
        page.locator(".prev-next-area a.right-next").click()
        page.wait_for_url(f"{address}second.html")
        page.locator("nav[aria-label=章の一覧] a", has_text="最後の頁").click()
        page.wait_for_url(f"{address}third.html")
        page.locator(".bd-breadcrumbs a[aria-label=ホーム]").click()
        page.wait_for_url(f"{address}index.html")
        page.locator("#pst-page-toc-nav a", has_text="出力と").click()
        page.wait_for_function("() => decodeURIComponent(location.hash) !== ''")
