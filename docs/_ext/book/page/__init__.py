"""What a page is made of: its title, byline, figures, listings, citations, and Japanese."""
