"""Pages to take away: notebooks, scripts, and the whole book as an EPUB and a PDF."""
