"""Attention maps of one pass: captured, edited, and read as gates, shares, and affinities."""
