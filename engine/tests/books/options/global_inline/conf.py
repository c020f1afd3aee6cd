# A book whose cells run while its pages are rendered, so that {eval} can ask the kernel: it is left
# to MyST-NB.

project = "Global inline"
extensions = ["myst_nb"]
html_theme = "basic"
nb_execution_mode = "inline"
