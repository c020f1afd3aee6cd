# A book with a page that sets `execution_mode: inline`: it is left to MyST-NB.

project = "Page inline"
extensions = ["myst_nb"]
html_theme = "basic"
