# A book whose page kills its kernel. Stock myst-nb ends with a traceback of its own.

project = "Dead kernel"
extensions = ["myst_nb"]
html_theme = "basic"
