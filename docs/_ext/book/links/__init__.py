"""Names in code lead to what documents them and back; what a link stands for is at hand."""
