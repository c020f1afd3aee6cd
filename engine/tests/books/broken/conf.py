# A book that must fail, and yet is built to its end: errors in pages of both formats, a cell that
# takes too long, a cell where none may be, a glued value that is missing, an invalid option.

project = "Broken"
extensions = ["myst_nb"]
html_theme = "basic"
