# Sources of other formats: a notebook of an old version of nbformat, and a format of the book's
# own, which its own reader turns into a notebook.

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "Formats"
extensions = ["myst_nb"]
html_theme = "basic"
nb_custom_formats = {".percent": "percent_reader.read"}
