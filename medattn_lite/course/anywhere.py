"""Notebooks that open anywhere: a cell that installs the package where it is missing, and badges.

Both follow from one setting, the repository's address in `pyproject.toml`:

    [tool.medattn]
    repository = "https://github.com/OWNER/NAME"    empty: no badges, and the package comes from the Python index
    branch = "main"
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medattn_lite.errors import UserError

PACKAGE = "medattn-lite"
_GITHUB = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?")


@dataclass(frozen=True)
class Address:
    """Where the repository is.

    Attributes:
        owner: of the repository; empty where nobody has said where it is.
        name: of the repository.
        branch: whose notebooks the badges open.
    """

    owner: str = ""
    name: str = ""
    branch: str = "main"

    @property
    def requirement(self) -> str:
        """What pip installs."""
        return f"{PACKAGE} @ git+https://github.com/{self.owner}/{self.name}" if self.owner else PACKAGE


def read_address(project: Path) -> Address:
    """The setting of a `pyproject.toml`; an empty address where there is no such file or setting.

    Raises:
        UserError: the setting is not an address of a repository on GitHub.
    """
    if not project.is_file():
        return Address()
    setting = tomllib.loads(project.read_text(encoding="utf-8")).get("tool", {}).get("medattn", {})
    address = setting.get("repository", "")
    if not address:
        return Address()
    match = _GITHUB.fullmatch(address)
    if match is None:
        raise UserError(f"repository in {project} is {address!r}: give https://github.com/OWNER/NAME, or nothing")
    return Address(match[1], match[2], setting.get("branch", "main"))


def install_cell(address: Address) -> Any:
    """A cell that says nothing where the package is installed, and installs it where not."""
    from nbformat.v4 import new_code_cell

    source = (
        "# Colab, Kaggle and the like lack the course's package: then, and only then, this installs it.\n"
        "import importlib.util\nimport subprocess\nimport sys\n\n"
        'if importlib.util.find_spec("medattn_lite") is None:\n'
        f'    subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", "{address.requirement}"])'
    )
    metadata = {
        "tags": ["install", "remove-cell"], "slideshow": {"slide_type": "skip"}, "jupyter": {"source_hidden": True},
    }  # fmt: skip
    return new_code_cell(source, id="install", metadata=metadata)


def badges(address: Address, notebook: str) -> str:
    """A line of Markdown that opens a notebook in Colab, Kaggle or Binder; empty without an address.

    Args:
        address: of the repository.
        notebook: its path in the repository, such as "notebooks/03_cbam.ipynb".
    """
    if not address.owner:
        return ""
    place = f"{address.owner}/{address.name}"
    file = f"{place}/blob/{address.branch}/{notebook}"
    binder = f"https://mybinder.org/v2/gh/{place}/{address.branch}?urlpath=lab/tree/{notebook}"
    return " · ".join([
        f"[Open in Colab](https://colab.research.google.com/github/{file})",
        f"[Open in Kaggle](https://kaggle.com/kernels/welcome?src=https://github.com/{file})",
        f"[Open in Binder]({binder})",
    ])  # fmt: skip
