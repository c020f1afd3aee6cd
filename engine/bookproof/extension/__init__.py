"""What Sphinx calls: pages run before it reads them, and MyST-NB gets their outputs."""
