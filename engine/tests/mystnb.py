"""What makes a Markdown file a MyST notebook."""

FRONT_MATTER = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n\n"
