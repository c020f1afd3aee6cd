# Options for all pages: another kernel for an unknown name, a temporary folder, allowed errors,
# pages that are not run, a short time limit that one page lengthens, merged streams.

project = "Globals"
extensions = ["myst_nb"]
html_theme = "basic"
nb_execution_in_temp = True
nb_execution_allow_errors = True
nb_execution_timeout = 3
nb_execution_excludepatterns = ["drafts/*", "frozen.ipynb"]
nb_kernel_rgx_aliases = {"conda-env-.*": "python3"}
nb_merge_streams = True
nb_number_source_lines = True
