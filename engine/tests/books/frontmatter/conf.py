# Pages that set their own options in the front matter or in the notebook's metadata: time limits,
# allowed errors, a temporary folder, no execution, and what is shown of the outputs.

project = "Front matter"
extensions = ["myst_nb"]
html_theme = "basic"
