"""A folder checked before it is used: `check_folder.py` over all cases, `check_case.py`, `check_channels.py` in one."""
