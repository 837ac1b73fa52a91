"""README's table of platforms, held to the universal lock: what it promises to install needs no compiler."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import canonicalize_name, parse_wheel_filename

CHECKOUT = Path(__file__).resolve().parents[1]
LOCK = tomllib.loads((CHECKOUT / "uv.lock").read_text(encoding="utf-8"))["package"]
MANYLINUX = tuple((2, minor) for minor in range(39, 4, -1))  # of a Linux of 2024 and newer
# platform → sys_platform, os_name, platform_system, platform_machine
SYSTEMS = {
    "Linux x86-64": ("linux", "posix", "Linux", "x86_64"), "Linux arm64": ("linux", "posix", "Linux", "aarch64"),
    "macOS arm64": ("darwin", "posix", "Darwin", "arm64"), "Windows": ("win32", "nt", "Windows", "AMD64"),
}  # fmt: skip
WITHOUT_SURVIVAL = {("Linux arm64", minor) for minor in (11, 12, 13)} | {("macOS arm64", m) for m in (11, 12, 13)}
WITHOUT_SURVIVAL |= {(system, 13) for system in SYSTEMS}
everywhere = pytest.mark.parametrize(("system", "minor"), [(name, minor) for name in SYSTEMS for minor in (11, 12, 13)])


def environment(system: str, minor: int, patch: int = 9) -> dict[str, str]:
    """What markers of requirements ask for, on another computer than this one."""
    platform, name, kind, machine = SYSTEMS[system]
    return {
        "sys_platform": platform, "os_name": name, "platform_system": kind, "platform_machine": machine,
        "python_version": f"3.{minor}", "python_full_version": f"3.{minor}.{patch}", "extra": "",
        "implementation_name": "cpython", "platform_python_implementation": "CPython", "implementation_version": "",
    }  # fmt: skip


def tags(system: str, minor: int) -> set[Tag]:
    """The wheels that pip takes there; macOS 14 or newer."""
    machine = SYSTEMS[system][3]
    if system == "macOS arm64":
        names = list(mac_platforms((14, 0), machine))
    elif system == "Windows":
        names = ["win_amd64"]
    else:
        names = [f"manylinux_{high}_{low}_{machine}" for high, low in MANYLINUX]
        names += [f"manylinux2014_{machine}", f"linux_{machine}"]
    version = (3, minor)
    return {*cpython_tags(version, platforms=names), *compatible_tags(version, f"cp3{minor}", names)}


def installed(system: str, minor: int, *extras: str) -> Iterator[dict]:
    """The lock's packages that an install of the project with extras brings there."""
    where, seen = environment(system, minor), set()
    waiting = [("medattn-lite", ""), *(("medattn-lite", extra) for extra in extras)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        (package,) = (one for one in LOCK if one["name"] == name and holds(one.get("resolution-markers", ()), where))
        if not extra and name != "medattn-lite":
            yield package
        needs = package.get("optional-dependencies", {}).get(extra, []) if extra else package.get("dependencies", [])
        for need in needs:
            if "marker" not in need or Marker(need["marker"]).evaluate(where):
                waiting += [(need["name"], part) for part in ("", *need.get("extra", ()))]


def holds(markers: Sequence[str], where: dict[str, str]) -> bool:
    return not markers or any(Marker(marker).evaluate(where) for marker in markers)


def without_wheel(system: str, minor: int, *extras: str) -> list[str]:
    """Packages that would have to be compiled there."""
    known = tags(system, minor)
    return sorted(
        package["name"]
        for package in installed(system, minor, *extras)
        if not any(parse_wheel_filename(wheel["url"].rsplit("/", 1)[1])[3] & known for wheel in package["wheels"])
    )


def pinned(where: dict[str, str]) -> dict[str, str]:
    """What requirements.lock installs there: package → version."""
    lines = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins
            if pin.marker is None or pin.marker.evaluate(where)}  # fmt: skip


def test_the_exported_lock_serves_the_first_pythons_of_its_range() -> None:
    """Debian 12 has 3.11.2, which the newest soupsieve refuses; uv.lock knows what each package takes."""
    where = environment("Linux x86-64", 11, patch=2)
    known = {package["name"]: package["version"] for package in LOCK
             if "version" in package and holds(package.get("resolution-markers", ()), where)}  # fmt: skip
    pins = pinned(where)
    assert len(pins) > 150
    assert {name: version for name, version in pins.items() if known.get(name, version) != version} == {}


@everywhere
def test_the_course_and_the_viewer_are_installed_without_a_compiler(system: str, minor: int) -> None:
    assert without_wheel(system, minor, "course", "viewer", "dicom") == []


@everywhere
def test_scikit_survival_comes_where_it_has_wheels_and_is_left_out_elsewhere(system: str, minor: int) -> None:
    brought = {package["name"] for package in installed(system, minor, "course")}
    left_out = (system, minor) in WITHOUT_SURVIVAL
    assert ("scikit-survival" in brought) is not left_out
    assert bool(without_wheel(system, minor, "survival")) is left_out  # a wheel has come: change the marker


@everywhere
def test_the_exported_lock_leaves_out_the_same(system: str, minor: int) -> None:
    here = set(pinned(environment(system, minor)))
    there = {package["name"] for package in installed(system, minor, "survival")}
    alone = {"ecos", "osqp", "numexpr", "scikit-survival"}
    assert alone <= there
    assert here & alone == (set() if (system, minor) in WITHOUT_SURVIVAL else alone)


def test_the_readme_names_where_survival_is_left_out() -> None:
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    (row,) = (line for line in text.splitlines() if line.startswith("| ") and "`ecos`" in line)
    assert "3.13 and newer" in row and re.search(r"macOS or Linux on arm64", row) and "leave it out" in row
