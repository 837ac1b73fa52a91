"""From slider to picture: how long each widget of the trained networks takes after a control was moved.

    medattn study slider-times              writes figures/slider_times.md

Each slider is moved by one step, forth and back, each menu to its next entry; the time is from the move to the finished
PNG in the kernel: by the clock, and of the CPU, which says the same on a busy machine too. What the browser
adds is the picture's way to the screen.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import ipywidgets
import torch

from medattn_lite import widgets
from medattn_lite.explain import held_out
from medattn_lite.networks.trained import load_trained
from tests.benchmarks.machine import load

PAGE = Path(__file__).resolve().parents[2] / "figures" / "slider_times.md"
GRADING = ("grade_p3d_iam", "grade_se_resnext", "grade_resnet_cbam")


def _affinity() -> widgets.Explorer:
    trained = {"RSA": load_trained("lesions_rsa"), "non-local": load_trained("lesions_non_local")}
    cases = list(held_out(trained["RSA"], limit=2))
    images = torch.cat([case.image for case in cases])
    networks = {name: network.network for name, network in trained.items()}
    return widgets.affinity_explorer(networks, images, channels=trained["RSA"].channels)


WIDGETS: dict[str, Callable[[], widgets.Explorer]] = {
    "counterfactual phantom": widgets.counterfactual_phantom,
    "explanation browser": lambda: widgets.explanation_browser(GRADING, subjects=2),
    "mechanism comparison": lambda: widgets.mechanism_comparison({name: load_trained(name) for name in GRADING}),
    "affinity explorer": _affinity,
}


def times(explorer: widgets.Explorer) -> dict[str, list[tuple[float, float]]]:
    """Control → seconds of each of its moves, by the clock and of the CPU; each leaves a picture and no error."""
    by_name: dict[str, list[tuple[float, float]]] = {}
    for name, control in explorer.controls.items():
        for value in _moves(control):
            begin, worked = time.perf_counter(), time.process_time()
            control.value = value
            took = (time.perf_counter() - begin, time.process_time() - worked)
            by_name.setdefault(name, []).append(took)
            if explorer.error is not None:
                raise explorer.error
    return by_name


def _moves(control: ipywidgets.ValueWidget) -> list[object]:
    start = control.value
    if hasattr(control, "options"):
        options = [option[1] if isinstance(option, tuple) else option for option in control.options]
        others = [option for option in options if option != start]
        return [*others[:2], start]
    if isinstance(start, bool):
        return [not start, start]
    step = control.step if start + control.step <= control.max else -control.step
    return [start + step, start]


def main() -> int:
    """Measures, writes the page, prints it."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    lines = ["# From slider to picture", "", "Made by `medattn study slider-times`; do not edit by hand. "
             f"Seconds in the kernel, {torch.get_num_threads()} thread(s) of {os.cpu_count()} cores, "
             f"{platform.machine()}{load()} at the start.", "",
             "| widget | moves | median | median, CPU | slowest | slowest, CPU | slowest control |",
             "| --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for name, make in WIDGETS.items():
        by_slider = times(make())
        wall, cpu = zip(*(seconds for pairs in by_slider.values() for seconds in pairs), strict=True)
        worst = max(by_slider, key=lambda control: max(cpu for _, cpu in by_slider[control]))
        lines.append(f"| {name} | {len(wall)} | {statistics.median(wall):.2f} | {statistics.median(cpu):.2f} "
                     f"| {max(wall):.2f} | {max(cpu):.2f} | {worst} |")
    text = "\n".join(lines) + "\n"
    PAGE.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
