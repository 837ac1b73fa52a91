"""NIfTI files on the package's axes: `volumes.py` reads and writes; `orientation.py` has axes, `headers.py` units."""
