# A book with a page that sets `execution_mode: inline`, which what runs the pages beforehand must
# refuse.

project = "Page inline"
extensions = ["myst_nb"]
html_theme = "basic"
