"""What the book does beyond Sphinx, MyST-NB and the theme: one extension for each part of it."""
