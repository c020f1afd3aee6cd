"""Pages to take away: each as a notebook with its outputs, as a script, and as its source.

The notebook is what ran for the page, with its prose in plain Markdown (``readable``), so that it
reads well in Jupyter, an editor or Colab. Its bytes say nothing of when and where it was made.

With ``takeaway_repository = "owner/name"`` (on GitHub) notebooks begin by installing the package
from there, and pages link to Colab. Colab opens notebooks from GitHub alone: it finds them on the
branch ``notebooks``, which the workflow that publishes the site fills from the site's ``download``.
A page whose cells read files of the repository says ``needs_repository: true`` in its front matter.
The records that its cells name, ``experiments/NAME.json``, are offered beside it.

Of the EPUB and the PDF that ``takeaway_books`` names, those that are there are offered too.
"""

from __future__ import annotations

import re
from hashlib import sha256
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urljoin

import jupytext
import nbformat
from docutils import nodes
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from sphinx.util import logging

from book.downloads.readable import Unwritable, Writer, escaped, is_cell, parts
from book.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbformat import NotebookNode
    from sphinx.application import Sphinx

FOLDER = "download"
BRANCH = "notebooks"
COLAB = "https://colab.research.google.com/github"
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}
RECORD = re.compile(r'(?<=")[\w/.]*\w+\.json(?=")')
FOLDED = {
    "hide-input": {"source_hidden": True},
    "hide-cell": {"source_hidden": True, "outputs_hidden": True},
}
PERCENT = {"extension": ".py", "format_name": "percent"}
# The script's header and marks say nothing but where a cell begins.
PLAIN = {"jupytext": {"notebook_metadata_filter": "-all", "cell_metadata_filter": "-all"}}

# What readers read.
ORIGIN = "本「{project}」の1ページです。出力は、本を作るときにコードを走らせて得ました。"
BY_HAND = '動かすには、本のリポジトリで`pip install ".[{extra}]"`を実行してください。'
BY_CELL = "動かすときは、次のセルから始めてください。必要なパッケージが入ります。"
IN_PLACE = "動かすには、本のリポジトリの`{folder}`に置き、`make html`が作る環境を使ってください。"
OTHERS = "{names}を使うセルは、それが入っている環境でだけ動きます。"
CREDIT = (
    "もとの記事は、chizuchizu「IFモデルをPyTorchで動かす」（2022年9月3日）です。"
    "文章と図はCC BY 4.0、コードはMITライセンスで利用できます。"
)
WORKS = "引用した文献:"
ALTERNATIVE = "<details><summary>図の説明</summary>{alt}</details>"
ALTERNATIVES = re.compile(r"\s*" + ALTERNATIVE.format(alt=".*?"), re.DOTALL)
NOTEBOOK, SCRIPT, SOURCE = "ノートブック", "Pythonスクリプト", "原稿"
RECORDS = (
    "ほかの場所で動かすなら、セルが読む{names}も「このページを持ち帰る」から保存し、"
    "このファイルから見て同じ名前のところに置いてください。"
)
RECORD_TEXT = "記録（{name}）"
IN_COLAB = "Google Colabで開く"
BOOKS = {".epub": "本全体（EPUB）", ".pdf": "本全体（PDF）"}

logger = logging.getLogger(__name__)


def cleaned(output: NotebookNode) -> Any:  # noqa: ANN401  # nbformat has no types.
    """Return an output without what only this machine and this moment put into it."""
    if output.output_type == "stream":
        return new_output("stream", name=output.name, text=output.text)
    if output.output_type == "error":
        said = f"{output.ename}: {output.evalue}"
        return new_output("error", ename=output.ename, evalue=output.evalue, traceback=[said])
    data = dict(output.data)
    if svg := data.get("image/svg+xml"):
        data["image/svg+xml"] = _steady(svg)
    kept = {key: output.metadata[key] for key in ("needs_background",) if key in output.metadata}
    count = {"execution_count": output.execution_count} if "execution_count" in output else {}
    return new_output(output.output_type, data, metadata=kept, **count)


def _steady(svg: str) -> str:
    """Return a drawing without the time at which Matplotlib drew it, nor the names of its clips.

    Those hash the exact places of axes, which a layout's solver moves by a bit from run to run.
    """
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    clips = re.findall(r'<clipPath id="(\w+)"', svg)
    for number, clip in enumerate(clips):
        svg = svg.replace(clip, f"clip-{number}")
    drawing = sha256(svg.encode()).hexdigest()[:8]  # a notebook shows its drawings on one page
    return re.sub(r"clip-(\d+)", rf"clip-{drawing}-\1", svg) if clips else svg


def shows_picture(cell: NotebookNode) -> bool:
    """Tell whether a cell has drawn something."""
    data = (output.get("data", {}) for output in cell.get("outputs", []))
    return any(kind.startswith("image/") for found in data for kind in found)


def as_script(cells: Sequence[NotebookNode]) -> str:
    """Write cells as a script that an editor takes apart again where ``# %%`` stands.

    A notebook shows a drawing at the end of its cell, a script where it is told to.
    """
    written, code = [], ""
    for cell in cells:
        if cell.cell_type == "markdown":
            text = re.sub(ALTERNATIVES, "", cell.source)
            text = re.sub(r"<details><summary>(.*?)</summary>", r"**\1**", text)
            text = text.replace("\n\n</details>", "")
            written.append(new_markdown_cell(text))
            continue
        source = cell.source
        code += f"{source}\n"
        if shows_picture(cell) and "plt.show()" not in source and " as plt" in code:
            source += "\nplt.show()"
        written.append(new_code_cell(source))
    return str(jupytext.writes(new_notebook(cells=written, metadata=PLAIN), PERCENT))


class Page:
    """One page of the site on its way out."""

    def __init__(self, app: Sphinx, docname: str, doctree: nodes.document) -> None:
        """Read what ran for the page."""
        self.app, self.docname, self.doctree = app, docname, doctree
        self.writer = Writer(self.number, self.address)
        self.local = bool(app.env.metadata[docname].get("needs_repository"))
        executed = Path(app.env.mystnb_config.output_folder, f"{docname}.ipynb")  # type: ignore[attr-defined]
        self.ran = nbformat.read(executed, as_version=4).cells if self.has_code() else []

    def has_code(self) -> bool:
        """Tell whether there is something to run."""
        return any(map(is_cell, self.doctree.findall(nodes.container)))

    def number(self, kind: str, node: nodes.Element) -> str:
        """Say how the site numbers a figure, a table, a listing or a formula."""
        numbers = self.app.env.toc_fignumbers.get(self.docname, {}).get(kind, {})
        found = [numbers[name] for name in node["ids"] if name in numbers]
        if not found:
            return ""
        number = ".".join(map(str, found[0]))
        return str(self.app.config.numfig_format.get(kind, "%s") % number)

    def address(self, node: nodes.reference) -> str:
        """Find what a reference leads to; without the site's own address, only other sites."""
        target = str(node.get("refuri") or f"#{node.get('refid', '')}")
        base = str(self.app.config.html_baseurl)
        if "://" in target or not base:
            return target if "://" in target else ""
        here = urljoin(f"{base.rstrip('/')}/", self.app.builder.get_target_uri(self.docname))
        return urljoin(here, target)

    def cells(self) -> list[NotebookNode]:
        """Cut the page into cells of prose and of code."""
        found: list[NotebookNode] = []
        prose: list[str] = []

        def end_of_prose() -> None:
            if text := "\n\n".join(filter(None, prose)):
                found.append(new_markdown_cell(text))
            prose.clear()

        for node in parts(self.doctree):
            if is_cell(node):
                ran = self.ran[cast("nodes.Element", node)["cell_index"]]
                prose.extend(self.before(ran))
                end_of_prose()
                found.append(self.code(ran))
                prose.extend(self.after(cast("nodes.Element", node), ran))
                continue
            prose.append(self.writer.write(node))
            if isinstance(node, nodes.title) and not found and node.parent.parent is self.doctree:
                prose.append(self.introduction())
                if self.installs():
                    end_of_prose()
                    found.append(new_code_cell(self.installs()))
        prose.append(self.works())
        end_of_prose()
        for n, cell in enumerate(found, 1):
            cell.id = f"{self.docname.replace('/', '-')[:56]}-{n}"
        return found

    def works(self) -> str:
        """List the works cited, which on the site a page of its own does."""
        titles = [
            node["reftitle"]
            for citation in self.doctree.findall(nodes.inline)
            if "bibtex-citation" in citation["classes"]
            for node in citation.findall(nodes.reference)
        ]
        listed = [f"- {escaped(title)}" for title in sorted(set(titles))]
        return "\n".join([f"{WORKS}\n", *listed]) if listed else ""

    def before(self, ran: NotebookNode) -> Iterator[str]:
        """Say what a folded cell holds."""
        if "hide-cell" in ran.metadata.get("tags", []):
            prompt = ran.metadata.get("mystnb", {}).get("code_prompt_show", "")
            yield f"**{prompt.removesuffix('を表示')}**" if prompt else ""

    def code(self, ran: NotebookNode) -> Any:  # noqa: ANN401  # No types.
        """Write a cell of code."""
        tags = ran.metadata.get("tags", [])
        metadata: dict[str, Any] = {"tags": tags} if tags else {}
        for tag in filter(FOLDED.__contains__, tags):
            metadata["jupyter"] = FOLDED[tag]
        outputs = [cleaned(output) for output in ran.outputs]
        return new_code_cell(
            ran.source, metadata=metadata, outputs=outputs, execution_count=ran.execution_count
        )

    def after(self, node: nodes.Element, ran: NotebookNode) -> Iterator[str]:
        """Write what stands with a cell's outputs: captions, and what is said of a record."""
        for figure in node.findall(nodes.figure):
            for caption in figure.findall(nodes.caption):
                yield self.writer.caption("figure", figure, caption)
        if alt := ran.metadata.get("mystnb", {}).get("image", {}).get("alt"):
            yield ALTERNATIVE.format(alt=alt)
        for note in node.findall(nodes.paragraph):
            if "book-recorded" in note["classes"]:
                yield self.writer.paragraph(note)

    def records(self) -> list[Path]:
        """Find the book's files that cells name, each as it lies below the book's folder."""
        code = "\n".join(cell.source for cell in self.ran if cell.cell_type == "code")
        source = Path(self.app.srcdir)
        here = Path(self.app.env.doc2path(self.docname)).parent
        named = [(here / name).resolve() for name in sorted(set(RECORD.findall(code)))]
        return [
            path.relative_to(source)
            for path in named
            if path.is_file() and path.is_relative_to(source)
        ]

    def introduction(self) -> str:
        """Say where the page comes from, and what it takes to run it."""
        config = self.app.config
        tags = {tag for cell in self.ran for tag in cell.metadata.get("tags", [])}
        names = sorted(tag.removeprefix("requires-") for tag in tags if tag.startswith("requires-"))
        here = Path(self.docname).parent
        folder = Path("docs", here).as_posix()
        records = "、".join(f"`{relpath(path, here)}`" for path in self.records())
        extra = re.sub(r".*\[|\].*", "", config.takeaway_requirement)
        start = BY_CELL if self.installs() else BY_HAND.format(extra=extra)
        said = [
            ORIGIN.format(project=config.project),
            IN_PLACE.format(folder=folder) if self.local else start,
            OTHERS.format(names="、".join(f"`{name}`" for name in names)) if names else "",
            RECORDS.format(names=records) if records else "",
            CREDIT,
        ]
        return f"> {''.join(said)}"

    def installs(self) -> str:
        """Write the command that a notebook begins with, if it is to run anywhere."""
        config = self.app.config
        if not config.takeaway_repository or self.local:
            return ""
        address = f"git+https://github.com/{config.takeaway_repository}"
        return f'%pip install --quiet "{config.takeaway_requirement} @ {address}"'

    def files(self) -> dict[str, bytes]:
        """Return all that the page can be taken away as, by the end of its name."""
        source = self.app.env.doc2path(self.docname).read_bytes()
        if not self.has_code():
            return {".md": source}
        cells = self.cells()
        notebook = new_notebook(cells=cells, metadata=KERNEL)
        return {
            ".ipynb": f"{nbformat.writes(notebook)}\n".encode(),
            ".py": as_script(cells).encode(),
            ".md": source,
        }


def copy_books(app: Sphinx) -> None:
    """Put the books that were made where pages offer them."""
    for name in app.config.takeaway_books:
        if (book := Path(app.confdir, name)).is_file():
            write_atomically(Path(app.outdir, FOLDER, book.name), book.read_bytes())


def add_page(
    app: Sphinx,
    docname: str,
    _template: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Write the files of a page, and let its template know of them."""
    if app.builder.name != "html" or doctree is None:
        return
    page = Page(app, docname, doctree)
    try:
        files = page.files()
    except Unwritable as error:
        logger.warning("%s", error, location=error.node, type="takeaway")
        return
    for suffix, content in files.items():
        write_atomically(Path(app.outdir, FOLDER, f"{docname}{suffix}"), content)
    named = {".ipynb": NOTEBOOK, ".py": SCRIPT, ".md": SOURCE}
    links = [(f"{named[end]}（{end}）", f"{FOLDER}/{docname}{end}") for end in files]
    for record in page.records():
        to = f"{FOLDER}/{record.as_posix()}"
        write_atomically(Path(app.outdir, to), Path(app.srcdir, record).read_bytes())
        links.append((RECORD_TEXT.format(name=record.name), to))
    books = (Path(app.confdir, name) for name in app.config.takeaway_books)
    links += [(BOOKS[each.suffix], f"{FOLDER}/{each.name}") for each in books if each.is_file()]
    context["takeaway"] = links
    if page.installs() and ".ipynb" in files:
        repository = app.config.takeaway_repository
        context["takeaway_colab"] = f"{COLAB}/{repository}/blob/{BRANCH}/{docname}.ipynb"
        context["takeaway_colab_text"] = IN_COLAB


def setup(app: Sphinx) -> None:
    """Register the settings, and what makes the files."""
    app.add_config_value("takeaway_repository", default="", rebuild="html", types=str)
    app.add_config_value("takeaway_requirement", default="", rebuild="html", types=str)
    app.add_config_value("takeaway_books", default=[], rebuild="html", types=list)
    app.add_css_file("takeaway.css")
    app.connect("builder-inited", copy_books)
    # Early: the theme leaves out a part of a page that is empty when it looks.
    app.connect("html-page-context", add_page, priority=400)
