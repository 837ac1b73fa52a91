"""Are the maps true? Scores against known signal, perturbation, re-initialised networks, what-if phantoms."""
