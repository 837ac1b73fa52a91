"""How often a 95 % interval holds the truth, by simulation: `medattn study interval-coverage`, see `simulate.py`."""
