# Tutorials in the manner of numpy-tutorials: folders in folders, data read relative to the page,
# a cell loaded from a file, a notebook with stored outputs, and two pages with the same cells.

project = "Tutorials"
extensions = ["myst_nb"]
html_theme = "alabaster"
