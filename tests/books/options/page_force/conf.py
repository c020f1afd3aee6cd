# A book with a page that sets `execution_mode: force`, which what runs the pages beforehand must
# refuse.

project = "Page force"
extensions = ["myst_nb"]
html_theme = "basic"
