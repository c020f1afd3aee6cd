# Kernels that are not the usual one: a small language of our own, and a Python with options and
# variables in its kernelspec. They are found with JUPYTER_PATH set to this folder.

project = "Languages"
extensions = ["myst_nb"]
html_theme = "basic"
