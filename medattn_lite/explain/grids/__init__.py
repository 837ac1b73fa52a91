"""From a layer's grid to the image's: upsampling, the box that a layer covers, its cells, a transformer's tokens."""
