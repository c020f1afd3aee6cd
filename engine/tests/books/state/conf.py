# What a page does to its process must not reach another page: one page changes all it can, the
# next ones print what they find. `entropy` prints what no two runs may share.

project = "State"
extensions = ["myst_nb"]
html_theme = "basic"
