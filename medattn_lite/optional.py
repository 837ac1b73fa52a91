"""Libraries that the package can do without: imported where they are needed, named in one line where they are missing.

    pydicom = optional("pydicom")
"""

from __future__ import annotations

import importlib
from types import ModuleType

from medattn_lite.errors import UserError

# module → what it is called in pyproject.toml, and the extra that brings it
EXTRAS: dict[str, tuple[str, str]] = {
    "sksurv": ("scikit-survival", "survival"),
    "papermill": ("papermill", "course"),
    "jupytext": ("jupytext", "course"),
    "nbclient": ("nbclient", "course"),
    "nbconvert": ("nbconvert", "course"),
    "jupyter_client": ("jupyter_client", "course"),
    "latex2mathml": ("latex2mathml", "course"),
    "pydicom": ("pydicom", "dicom"),
    "dicom2nifti": ("dicom2nifti", "dicom"),
    "nrrd": ("pynrrd", "nrrd"),
    "itk": ("itk-io", "mha"),
    "tensorboard": ("tensorboard", "tensorboard"),
    "wandb": ("wandb", "wandb"),
}


def optional(name: str) -> ModuleType:
    """A module of an extra, such as "pydicom" or "dicom2nifti.convert_dicom".

    Raises:
        UserError: its package is not installed; says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        message = missing(error)
        if message is None:
            raise
        raise UserError(message) from error


def missing(error: ModuleNotFoundError) -> str | None:
    """One line for a module of an extra that is not installed; None where it is of none."""
    known = EXTRAS.get((error.name or "").split(".")[0])
    return None if known is None else f"{known[0]} is not installed: {install(known[1])}"


def install(extra: str) -> str:
    """The command that brings an extra; in the quotes that every shell takes, Windows' cmd too."""
    return f'pip install "medattn-lite[{extra}]"'
