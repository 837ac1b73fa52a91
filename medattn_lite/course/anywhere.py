"""Notebooks that open anywhere: a cell that installs the package where it is missing, and badges.

Both follow from one setting, the repository's address in `pyproject.toml`; so do the addresses on the index's page of
the package and the README's links there (`setup.py`):

    [tool.medattn]
    repository = "https://github.com/OWNER/NAME"    empty: no badges, and the cell says that nobody has said where from
    branch = "main"

Without an address nothing is installed: a package of this name on an index need not be this one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medattn_lite.errors import UserError
from medattn_lite.optional import EXTRAS, install

PACKAGE = "medattn-lite"
_SURVIVAL = re.compile(r"\bsksurv\b|\bmedattn_lite\.survival\b|\bsurvival_explorer\b")
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
    def page(self) -> str:
        """The repository's own address; empty where nobody has said where it is."""
        return f"https://github.com/{self.owner}/{self.name}" if self.owner else ""

    def requirement(self, extras: Sequence[str] = ()) -> str:
        """What pip installs, such as "medattn-lite[survival] @ git+https://github.com/OWNER/NAME"."""
        wanted = f"[{','.join(extras)}]" if extras else ""
        return f"{PACKAGE}{wanted} @ git+{self.page}"


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


def extras_of(code: str) -> list[str]:
    """The extras that a notebook cannot do without, by what its cells import."""
    return ["survival"] if _SURVIVAL.search(code) else []


def install_cell(address: Address, extras: Sequence[str] = ()) -> Any:
    """A cell that says nothing where all is installed, installs the package where it is not, and names an extra.

    Args:
        address: of the repository; without one the cell installs nothing, and says what to do.
        extras: of the package, that this notebook needs.
    """
    from nbformat.v4 import new_code_cell

    requirement = f'"{address.requirement(extras)}"'
    source = (
        "# Colab, Kaggle and the like lack the course's package: then, and only then, this installs it.\n"
        "import importlib.util\nimport subprocess\nimport sys\n\n"
        'if importlib.util.find_spec("medattn_lite") is None:\n'
    )
    source += (
        f'    subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", {requirement}])'
        if address.owner else
        '    raise ModuleNotFoundError("medattn_lite is not installed: pip install its wheel (README: Installing)")'
    )  # fmt: skip
    for module in (name for name, (_, extra) in EXTRAS.items() if extra in extras):
        source += (
            f'\nelif importlib.util.find_spec("{module}") is None:\n'
            f"    print('Parts of this notebook need {EXTRAS[module][0]}: {install(EXTRAS[module][1])}')"
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
