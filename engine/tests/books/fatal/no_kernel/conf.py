# A book whose page names a kernel that nobody has. Stock myst-nb ends with a traceback of its own.

project = "No kernel"
extensions = ["myst_nb"]
html_theme = "basic"
