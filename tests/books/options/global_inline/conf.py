# A book whose cells run while its pages are rendered, so that {eval} can ask the kernel: what
# runs the pages beforehand can't do that, and must refuse it.

project = "Global inline"
extensions = ["myst_nb"]
html_theme = "basic"
nb_execution_mode = "inline"
