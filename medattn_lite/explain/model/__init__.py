"""One pass through any network, what is inside a wrapper, and what an explanation asks of the output."""
