"""Settings of the book's site, and nothing but settings: what the site does lives in docs/_ext."""

import os
import re
import sys
from pathlib import Path

from babel.messages.pofile import read_po

DOCS = Path(__file__).parent / "docs"
sys.path.insert(0, str(DOCS / "_ext"))

project = "スパイキングニューロンをPyTorchで動かす"
language = "ja"
extensions = [
    "myst_nb",
    "bookproof",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinxcontrib.bibtex",
    "book",
]

# Sources. Folders that start with an underscore hold the site's own parts, not pages.
exclude_patterns = ["_*"]
locale_dirs = [str(DOCS / "_locale")]  # Absolute: Sphinx looks for sphinx.js from where it runs.
nitpicky = True
nitpick_ignore_regex = [
    ("py:class", r"nir\..*"),  # Its documentation is on no page that Sphinx has made.
    ("py:class", r"snn_docs\.(chip\.Layers|_module\.S)"),  # Variables of types.
]
# Names of other projects lead to their pages, by inventories that docs/_data/inventories.py writes.
intersphinx_mapping = {
    "matplotlib": ("https://matplotlib.org/stable/", "_data/inventories/matplotlib.txt"),
    "numpy": ("https://numpy.org/doc/stable/", "_data/inventories/numpy.txt"),
    "python": ("https://docs.python.org/3/", "_data/inventories/python.txt"),
    "sklearn": ("https://scikit-learn.org/stable/", "_data/inventories/sklearn.txt"),
    "torch": ("https://docs.pytorch.org/docs/stable/", "_data/inventories/torch.txt"),
}

# Markdown and cells.
myst_enable_extensions = [
    "amsmath",
    "attrs_block",
    "attrs_inline",
    "colon_fence",
    "deflist",
    "dollarmath",
    "substitution",
]
myst_heading_anchors = 3
book_strict = True
CATALOG = (DOCS / "_locale/ja/LC_MESSAGES/bookproof.po").read_text(encoding="utf-8")
book_words = {each.id: each.string for each in read_po(CATALOG.splitlines()) if each.id}
# The same bytes on every x86-64 computer: threads, hashes, and for each library that chooses its
# instructions by the processor the set that all have. `make elsewhere` runs the pages without it.
# Python's UTF-8 mode too, so that what make has run need not run again for a direct command.
THREADS = {
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "SOURCE_DATE_EPOCH": "315532800",  # matplotlib asks; `make books` has the commit's
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
# What a training step frees, the next one takes again: only its time changes.
MEMORY = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "268435456"}
LOWEST = {
    "ATEN_CPU_CAPABILITY": "default",  # torch's own loops
    "MKL_CBWR": "COMPATIBLE",  # its products of matrices
    "ONEDNN_MAX_CPU_ISA": "SSE41",  # its convolutions
}
PINS = LOWEST | {
    "OPENBLAS_CORETYPE": "Prescott",  # NumPy's and SciPy's products of matrices
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL "
    "AVX512_ICL AVX512_SPR AVX512_KNL AVX512_KNM X86_V3 X86_V4",  # NumPy's loops, old names and new
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4,-AVX512F",  # exp, log and the like
}
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
}
START = DOCS / "_data" / "start"
PINNED, PERTURBED = (
    (START / f"{name}.py").read_text(encoding="utf-8") for name in ("pinned", "perturbed")
)
book_environment = THREADS | MEMORY | PINS
book_start = PINNED

# Under which other conditions outputs hold: those of readers who run a notebook or a script.
# What is rare is run by `make elsewhere ARGS=--all` alone.
# Threads that wait sleep, since many pages share the processors.
TWO = {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}
LEVELS = {"lowest": LOWEST, "avx2": AVX2, "best": {}}
OFTEN = {*LEVELS, "best, two threads", "best, perturbed"}
book_conditions = {"pinned": {}} | {
    level + threads + weights: {
        "environment": THREADS | MEMORY | LEVELS[level] | (TWO if threads else {}),
        "start": PERTURBED if weights else "",
        "needs": "avx2" if level == "avx2" else "",
        "rare": level + threads + weights not in OFTEN,
    }
    for level in LEVELS
    for threads in ("", ", two threads")
    for weights in ("", ", perturbed")
}
nb_merge_streams = True
nb_render_markdown_format = "myst"  # Tables, too, of what a cell shows.
nb_execution_timeout = 180  # Seconds a cell may take: on a busy machine some train for a while.
nb_code_prompt_show = "コードを表示"
nb_code_prompt_hide = "コードを隠す"

# What every reader of PyTorch knows, and no page links to the glossary.
terms_everyday = ["エポック", "重み", "正解率", "損失", "順伝播", "逆伝播"]

# What readers type, and the book writes otherwise.
search_words = "_data/search_words.txt"

# Numbers and references.
numfig = True
numfig_secnum_depth = 0
numfig_format = {"figure": "図%s", "table": "表%s", "code-block": "リスト%s", "section": "%s"}
bibtex_bibfiles = ["docs/references.bib"]
bibtex_default_style = "author_year"
bibtex_reference_style = "author_year"

# The package's docstrings.
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 60

# Copy buttons: on code, never on what the code printed, and without prompts.
copybutton_selector = "div:not(.output) > div.highlight > pre"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"

# Pages to take away. The workflow that publishes the site names its repository on GitHub
# ("owner/name"): notebooks then install the package from there, and pages link to it and to Colab.
takeaway_repository = os.environ.get("BOOK_REPOSITORY", "")
myst_substitutions = {
    "repository": (
        f"[この本のリポジトリ](https://github.com/{takeaway_repository})"
        if takeaway_repository
        else "この本のリポジトリ"
    )
}
takeaway_requirement = "snn-docs[notebooks]"

# The site. Nothing in it depends on when it is built.
html_theme = "sphinx_book_theme"
html_title = project
# The address at which the site will stand, which the workflow that publishes it knows.
html_baseurl = os.environ.get("BOOK_URL", "")
html_favicon = "docs/_static/favicon.svg"
html_static_path = ["docs/_static"]
html_css_files = ["book.css"]
html_js_files = ["copybutton-ja.js", "scroll.js"]
html_math_renderer = "katex"
html_copy_source = False
html_use_index = False
html_domain_indices = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "toc_title": "目次",
    "show_toc_level": 2,
    "search_bar_text": "検索",
    "pygments_dark_style": "github-dark",
    "use_download_button": False,
    "use_fullscreen_button": False,
    "back_to_top_button": False,
    "show_prev_next": False,  # page.html has it, before the foot.
    "article_header_start": ["toggle-primary-sidebar.html", "place.html"],
    "primary_sidebar_end": [],
    "article_footer_items": ["back.html", "checked.html", "takeaway.html"],
    "footer_content_items": ["credits.html"],
}

# What pages tell machines.
head_moved = {  # Old addresses, and where they lead.
    "few_steps": "experiments/few_steps",
    "nir_limits": "porting",
    "peer_gradients": "porting",
    "peer_settings": "porting",
    "provenance": "verification",
}
head_picture = "_static/card.png"  # Made by docs/_data/card.py.

# The book as one file (make books): an EPUB, and a PDF for paper.
PACKAGE = DOCS.with_name("snn_docs") / "__init__.py"
version = re.search(r'__version__ = "(.+)"', PACKAGE.read_text(encoding="utf-8"))[1]
html_theme_path = ["docs/_ext/book/downloads"]
epub_theme = "theme"
epub_basename = "snn_docs"
epub_author = "snn_docsの著者"
epub_publisher = epub_author
epub_contributor = "chizuchizu（もとの記事）"
epub_description = "ニューロンを動かしながら学ぶ本。載っている出力は、どれもコードを走らせて得た。"
epub_copyright = "文章と図: CC BY 4.0、コード: MIT License"
epub_identifier = "urn:uuid:2f0b0f4c-5d0e-5c8a-9a55-6f9c8a1d7e42"
epub_scheme = "UUID"
epub_uid = "book-id"
epub_cover = ("_static/cover.png", "cover.html")
epub_show_urls = "no"
epub_tocdepth = 2
epub_tocdup = False
epub_tocscope = "includehidden"
