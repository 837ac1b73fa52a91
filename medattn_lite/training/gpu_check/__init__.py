"""`medattn gpu-check`: ten minutes of one GPU: right, how fast, how large, and a first training at published size."""
