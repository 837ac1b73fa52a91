"""Ways to explain, each a map on the image's grid: class activation maps, attribution, attention."""
