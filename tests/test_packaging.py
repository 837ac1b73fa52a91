"""What pyproject.toml, the lock and environment.yml promise: the same packages, and a core that needs no extra."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from medattn_lite.errors import UserError
from medattn_lite.survival import FollowUp

CHECKOUT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
MODULES = {  # import name → name of the package, where they differ
    "sklearn": "scikit-learn", "PIL": "pillow", "sksurv": "scikit-survival", "IPython": "ipython",
    "markdown_it": "markdown-it-py", "mdit_py_plugins": "mdit-py-plugins", "jupyter_client": "jupyter-client",
    "myst_nb": "myst-nb",
}  # fmt: skip
NOT_LOCKED = ("mha", "wandb", "bench")  # large, and of use to few; no test needs the peers of `make bench`
CORE_ROOMS = ("attention", "networks", "explain", "plots", "widgets", "data", "evaluation", "training", "audit")
BROUGHT_BY_TORCH_AND_JUPYTER = {"traitlets", "cycler", "docutils", "requests"}


def needs(*extras: str) -> dict[str, Requirement]:
    """Package name → requirement, of the core and of extras with the extras that they name."""
    requirements = {}
    optional = PROJECT["optional-dependencies"]
    waiting = [*PROJECT["dependencies"], *(line for extra in extras for line in optional[extra])]
    while waiting:
        requirement = Requirement(waiting.pop())
        if requirement.name == PROJECT["name"]:
            waiting += [line for extra in requirement.extras for line in optional[extra]]
        else:
            requirements[canonicalize_name(requirement.name)] = requirement
    return requirements


def imported(room: str) -> set[str]:
    """Top-level modules that a room imports anywhere, those for types alone left out."""
    names: set[str] = set()
    for path in (CHECKOUT / "medattn_lite" / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"medattn_lite"}


@pytest.mark.parametrize("room", CORE_ROOMS)
def test_the_core_imports_only_what_the_core_installs(room: str) -> None:
    known = set(needs("survival", "viewer"))  # named and lazy: `medattn` says how to get it
    strange = {name for name in imported(room) if canonicalize_name(MODULES.get(name, name)) not in known}
    assert strange - BROUGHT_BY_TORCH_AND_JUPYTER == set()


def test_the_lock_holds_every_package_in_its_range() -> None:
    text = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8")
    lines = re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)
    pins = {canonicalize_name(name): version for name, version in lines}
    wanted = needs(*(extra for extra in PROJECT["optional-dependencies"] if extra not in NOT_LOCKED))
    assert set(wanted) - set(pins) == set()
    assert {name for name, need in wanted.items() if not need.specifier.contains(Version(pins[name]))} == set()


def test_the_universal_lock_has_the_same_versions_and_names_the_public_index_alone() -> None:
    text = (CHECKOUT / "uv.lock").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://([^/\"]+)", text)) == {"pypi.org", "files.pythonhosted.org"}
    versions: dict[str, set[str]] = {}
    packages = tomllib.loads(text)["package"]
    for package in packages:
        versions.setdefault(package["name"], set()).add(package.get("version", ""))
    lines = re.findall(r"^([\w.-]+)==([^\s;]+)", (CHECKOUT / "requirements.lock").read_text(encoding="utf-8"), re.M)
    pins = {canonicalize_name(name): version for name, version in lines}
    other = {name for name, version in pins.items() if name in versions and version not in versions[name]}
    assert other == set()
    (project,) = (package for package in packages if package["name"] == PROJECT["name"])
    optional = {canonicalize_name(need["name"]) for need in project["metadata"]["requires-dist"]} - {PROJECT["name"]}
    assert optional == set(needs(*PROJECT["optional-dependencies"]))  # else: uv lock
    floors = {
        (canonicalize_name(need["name"]), need.get("specifier", "")) for need in project["metadata"]["requires-dist"]
    }
    extras = PROJECT["optional-dependencies"].values()
    written = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    assert floors == {(canonicalize_name(one.name), str(one.specifier)) for one in map(Requirement, written)}


def test_conda_gets_the_courses_packages_in_no_lower_versions() -> None:
    text = (CHECKOUT / "environment.yml").read_text(encoding="utf-8")
    lines = [Requirement(line) for line in re.findall(r"^  - ([\w.-]+>=[\d.]+)$", text, re.MULTILINE)]
    conda = {canonicalize_name(CONDA_NAMES.get(line.name, line.name)): line for line in lines}
    wanted = needs("course")
    assert set(conda) == set(wanted)
    floor = {name: max(Version(part.version) for part in need.specifier) for name, need in wanted.items()}
    assert {name for name, line in conda.items() if Version(next(iter(line.specifier)).version) < floor[name]} <= set()


def test_condas_pip_section_is_one_that_pip_can_read() -> None:
    """conda writes it into a requirements file, where pip takes requirements and -e, but no --no-deps."""
    text = (CHECKOUT / "environment.yml").read_text(encoding="utf-8")
    lines = re.findall(r"^      - (.+)$", text.split("- pip:")[1], re.MULTILINE)
    assert "-e ." in lines
    for line in lines:
        assert line == "-e ." or canonicalize_name(Requirement(line).name) in needs("viewer"), line


def test_no_requirement_of_the_course_is_left_for_pip_to_replace_in_conda() -> None:
    """`-e .` asks for the core: pip must find each of its requirements among conda's packages, in its range."""
    text = (CHECKOUT / "environment.yml").read_text(encoding="utf-8")
    conda = {canonicalize_name(CONDA_NAMES.get(name, name)): Version(floor)
             for name, floor in re.findall(r"^  - ([\w.-]+)>=([\d.]+)$", text, re.MULTILINE)}  # fmt: skip
    assert {name for name, need in needs().items() if not need.specifier.contains(conda[name])} == set()


def test_python_is_the_same_everywhere() -> None:
    """The floor of pyproject, conda's range, the matrix of the workflow and the table of platforms."""
    floor = re.fullmatch(r">=(3\.\d+)", PROJECT["requires-python"])[1]
    read = {name: (CHECKOUT / name).read_text(encoding="utf-8")
            for name in ("environment.yml", ".github/workflows/tests.yml", "README.md")}  # fmt: skip
    low, above = re.search(r"- python>=(3\.\d+),<(3\.\d+)", read["environment.yml"]).groups()
    tested = re.findall(r'"(3\.\d+)"', re.search(r"python: \[(.*)\]", read[".github/workflows/tests.yml"])[1])
    row = next(line for line in read["README.md"].splitlines() if line.startswith("| Linux, macOS, Windows, Python"))
    newer = next(line for line in read["README.md"].splitlines() if line.startswith("| Python 3.") and "ecos" in line)
    assert low == floor == tested[0] and re.findall(r"3\.\d+", row) == tested
    assert above == re.search(r"3\.\d+", newer)[0] == f"3.{int(tested[-1].split('.')[1]) + 1}"
    classified = [line.rsplit(" ", 1)[1] for line in PROJECT["classifiers"] if " :: Python :: 3." in line]
    assert classified == tested


@pytest.fixture(scope="module")
def setup_py() -> ModuleType:
    spec = importlib.util.spec_from_file_location("own_setup", CHECKOUT / "setup.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_one_setting_gives_the_addresses_on_the_index_and_none_is_made_up(setup_py: ModuleType) -> None:
    assert setup_py.addresses("", "main") == {} and "urls" in PROJECT["dynamic"] and "urls" not in PROJECT
    addresses = setup_py.addresses("https://github.com/someone/a-fork", "main")
    assert addresses["Repository"] == "https://github.com/someone/a-fork"
    assert addresses["Book"] == "https://someone.github.io/a-fork/" and addresses["Issues"].endswith("/a-fork/issues")
    assert addresses["Changelog"].endswith("/blob/main/CHANGELOG.md") and (CHECKOUT / "CHANGELOG.md").is_file()


@pytest.mark.parametrize("repository", ["", "https://github.com/someone/a-fork"])
def test_the_readme_has_no_dead_link_on_the_index(setup_py: ModuleType, repository: str) -> None:
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((?!https?:|#)", text)  # as it is, for the repository
    shown = setup_py.read_me(text, repository, "main")
    assert re.findall(r"\]\((?!https?:|#)[^)]*\)", shown) == []
    if repository:
        for picture, place in re.findall(r"(!?)\[[^\]]*\]\(https://github.com/someone/a-fork/\w+/main/([^)#]+)", shown):
            assert (CHECKOUT / place).exists(), (picture, place)
        assert "](https://github.com/someone/a-fork/raw/main/figures/counterfactual_widget.png)" in shown
    else:
        assert "![" not in shown and "](notebooks" not in shown


def test_the_image_for_a_hub_has_all_it_copies_and_starts_the_course_whatever_the_command() -> None:
    """A hub replaces an image's command, so that only the base image's hook runs at each start."""
    text = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")
    copied = [word for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert copied and [name for name in copied if not (CHECKOUT / name).exists()] == []
    assert {"notebooks", "figures", "setup.py", "requirements.lock"} <= set(copied)
    hook = re.search(r"^RUN echo '(.+)' > /usr/local/bin/before-notebook.d/\S+\.sh$", text, re.MULTILINE)
    assert hook is not None and hook[1].startswith("medattn start ") and hook[1].endswith(" --no-lab || true")
    assert not re.search(r"^(CMD|ENTRYPOINT)\b", text, re.MULTILINE)


def test_the_page_for_a_hub_plans_the_memory_that_was_measured() -> None:
    page = (CHECKOUT / "notebooks/teacher/jupyterhub.md").read_text(encoding="utf-8")
    times = (CHECKOUT / "figures/course_times.md").read_text(encoding="utf-8")
    largest = max(int(value) for value in re.findall(r"^\| \d\d_\w+ \| \d+ \| (\d+) \|", times, re.MULTILINE))
    planned, limit = (float(re.search(words, page)[1]) for words in (r"plan ([\d.]+) GB", r'mem_limit = "(\d+)G"'))
    assert largest / 1000 <= planned <= limit and f"{largest / 1000:.1f} GB at `smoke`" in page


def test_what_a_person_fills_in_is_named_in_one_place_that_is_true() -> None:
    text = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Publishing")[1].split("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    named = re.findall(r"`([\w./]+\.(?:toml|md|cff|yml|py))`", "\n".join(rows))
    assert set(named) >= {"pyproject.toml", "paper.md", "CITATION.cff"} and all((CHECKOUT / n).is_file() for n in named)
    texts = {name: (CHECKOUT / name).read_text(encoding="utf-8") for name in named if "/" not in name}
    assert 'repository = "' in texts["pyproject.toml"] and "authors:" in texts["paper.md"]
    cited = re.search(r"^version: (.+)$", texts["CITATION.cff"], re.MULTILINE)
    assert cited is not None and cited[1] == PROJECT["version"] and "contact" in texts["CITATION.cff"]
    for other in (".github", "SUPPORT.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "medattn_lite/course/anywhere.py"):
        for path in [*(CHECKOUT / other).rglob("*.yml")] or [CHECKOUT / other]:
            assert not re.search(r"TODO|FIXME|example@|your[-_]name", path.read_text(encoding="utf-8")), path


def test_a_missing_extra_is_one_line_that_says_how_to_get_it() -> None:
    code = ("import sys; sys.modules['papermill'] = None; sys.modules['nbclient'] = None; "
            "from medattn_lite.cli import main; raise SystemExit(main(['course', '--only', '00']))")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=CHECKOUT)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert 'pip install "medattn-lite[course]"' in done.stderr


def test_the_readme_names_every_extra_and_no_other() -> None:
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith("Extras: "))
    assert set(re.findall(r"`\[(\w+)\]`", line)) == set(PROJECT["optional-dependencies"])


def test_scikit_survival_is_asked_for_before_each_of_its_imports() -> None:
    """So that its absence is one line that says what to install, in a notebook too."""
    bare = set()
    for path in (CHECKOUT / "medattn_lite").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.Module):
                lines = [ast.unparse(line) for line in node.body]
                imports = [row for row, line in enumerate(lines) if line.startswith(("from sksurv", "import sksurv"))]
                if imports and (imports[0] == 0 or lines[imports[0] - 1] != "optional('sksurv')"):
                    bare.add(f"{path.name}: {getattr(node, 'name', 'module')}")
    assert bare == set()


def test_without_scikit_survival_a_function_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sksurv", None)
    with pytest.raises(UserError, match=r'pip install "medattn-lite\[survival\]"'):
        FollowUp(np.array([1.0, 2.0]), np.array([True, False])).records()


def test_the_networks_that_ship_leave_the_wheel_far_below_what_an_index_takes() -> None:
    weights = list((CHECKOUT / "medattn_lite/networks/weights").glob("*.safetensors"))
    assert weights and sum(path.stat().st_size for path in weights) < 60e6  # CONTRIBUTING, Publishing: else a hub
