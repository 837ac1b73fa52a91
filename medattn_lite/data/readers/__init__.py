"""Readers: one file per layout of files on the disk, opened by name with `medattn_lite.data.open_dataset`.

`registry.py` lists them; `cases.py` is what they share. A new reader is a file here and a line of `registry.DATASETS`.
"""
