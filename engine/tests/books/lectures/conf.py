# Lectures in the manner of QuantEcon: jupytext headers, a helper module beside the pages, shell
# lines, figures with captions, a notebook without outputs, and a table of how the run went.

project = "Lectures"
extensions = ["myst_nb"]
html_theme = "basic"
