# What an IPython kernel does beyond Python: magics, shell lines, await, the history of results,
# output from C code and from children, tracebacks, threads and processes.

project = "IPython"
extensions = ["myst_nb"]
html_theme = "basic"
