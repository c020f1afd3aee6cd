# A gallery in the manner of Jupyter Book: every tag, rich results, results that change later,
# figures in PNG and SVG, and values glued in one page and pasted in a plain one.

project = "Gallery"
extensions = ["myst_nb"]
html_theme = "basic"
myst_enable_extensions = ["dollarmath"]
