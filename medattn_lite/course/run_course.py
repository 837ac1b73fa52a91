"""Run the course's notebooks, one after the other or several at a time, and write the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

from medattn_lite.course.earlier_run import require_replaceable
from medattn_lite.course.outcome import length
from medattn_lite.course.runner import NotebookRun, run_notebook
from medattn_lite.course.scales import check_scale
from medattn_lite.errors import UserError

# Seconds a single cell may take before the run gives up on it; generous, since machines differ.
_CELL_TIMEOUT = {"smoke": 600, "laptop": 3600, "paper": None}


def notebook_paths(folder: Path, only: Sequence[str] = ()) -> list[Path]:
    """The notebooks of a folder in order, or those named by number or name.

    Raises:
        UserError: the folder has no notebooks, or one that was named is not there.
    """
    paths = sorted(path for path in folder.glob("[0-9][0-9]_*.ipynb"))
    if not paths:
        raise UserError(f"{folder} has no NN_name.ipynb: give the folder with --notebooks, or run "
                        "`medattn notebooks` in a checkout")
    wrong = next((path for path in paths if not path.is_file()), None)
    if wrong is not None:
        raise UserError(f"{wrong} is a folder, a pipe or a link to nothing: put the notebook itself there")
    if not only:
        return paths
    chosen = []
    for word in only:
        match = [path for path in paths if word.removesuffix(".ipynb") in (path.stem, path.stem[:2], path.stem[1:2])
                 and not (len(word) == 1 and path.stem[0] != "0")]
        if not match:
            raise UserError(f"there is no notebook {word!r} in {folder}: it has {', '.join(p.stem for p in paths)}")
        chosen += [path for path in match if path not in chosen]
    return sorted(chosen)


def run_course(
    *,
    notebooks: Path,
    out: Path,
    only: Sequence[str] = (),
    scale: str = "smoke",
    device: str = "auto",
    seed: int = 0,
    data: str = "phantom",
    root: Path | None = None,
    jobs: int = 1,
    progress: bool = True,
) -> list[NotebookRun]:
    """Run the course's notebooks in order, go on after a failure, and write the report.

    Args:
        notebooks: folder of the notebooks to run.
        out: folder for the executed copies, `report.json` and `report.html`.
        only: numbers or names of notebooks; all of them if empty.
        scale: smoke, laptop or paper.
        device: "auto" or a device's name.
        seed: handed to every notebook.
        data: "phantom" or the name of a real data set.
        root: the real data set's folder.
        jobs: how many notebooks run at a time, at most; they share the cores among them.
        progress: whether to show a bar.

    Raises:
        UserError: a word that does not exist, or a folder that does not or that holds no such data set; or `out` holds
            something else than an earlier run left there.
    """
    import papermill  # noqa: F401 - an extra: without it nothing is started
    from tqdm.auto import tqdm

    from medattn_lite.course.report import write_report

    parameters = _parameters(scale, device, seed, data, root)
    paths = notebook_paths(notebooks, only)
    if out.resolve() in (notebooks.resolve(), notebooks.resolve() / "solutions"):
        raise UserError(f"--out {out} is where the notebooks are: choose another folder, such as runs/course")
    require_replaceable(paths, out)
    if jobs < 1:
        raise UserError(f"--jobs {jobs}: give how many notebooks run at a time, 1 or more")
    jobs = min(jobs, len(paths))
    sizes = {path.stem: length(path) for path in paths}
    runs: list[NotebookRun] = []
    start = time.time()
    run = partial(run_notebook, out=out, parameters=parameters, cell_timeout=_CELL_TIMEOUT[scale])
    try:
        with tqdm(total=sum(sizes.values()), unit="cell", disable=not progress, dynamic_ncols=True) as bar:
            if jobs > 1:
                for done in _at_the_same_time(run, paths, jobs, out):
                    runs.append(done)
                    bar.set_description(f"{done.name} done")
                    bar.update(sizes[done.name])
                runs.sort(key=lambda run: list(sizes).index(run.name))
            else:
                for path in paths:
                    bar.set_description(path.stem)
                    before = bar.n
                    runs.append(run(path, on_cell=bar.update))
                    bar.update(before + sizes[path.stem] - bar.n)
    finally:  # an interrupted course still says what it has done
        write_report(runs, out=out, notebooks=notebooks, parameters=parameters, started=start, jobs=jobs,
                     planned=len(paths), only=only)  # fmt: skip
    return runs


def _at_the_same_time(
    run: Callable[[Path], NotebookRun], paths: Sequence[Path], jobs: int, out: Path
) -> Iterator[NotebookRun]:
    """The runs as they end, each in a process that has its share of the cores' threads."""
    from joblib import Parallel, delayed

    waiting = list(paths)
    while waiting:
        try:
            pool = Parallel(n_jobs=jobs, batch_size=1, pre_dispatch=jobs, return_as="generator_unordered")
            for done in pool(delayed(run)(path) for path in list(waiting)):
                waiting = [path for path in waiting if path.stem != done.name]
                yield done
        except BrokenProcessPool:  # it does not say whose process: those that ran are lost, the others go on
            for path in waiting[:jobs]:
                error = f"its process or its neighbour's was killed: run it alone, with --only {path.stem[:2]}"
                yield NotebookRun(path.stem, out / path.name, errors=[error])
            waiting = waiting[jobs:]


def _parameters(scale: str, device: str, seed: int, data: str, root: Path | None) -> dict[str, Any]:
    from medattn_lite.data.readers.registry import NAMES, open_dataset
    from medattn_lite.training.device import choose

    check_scale(scale)
    choose(device)
    if data not in NAMES:
        raise UserError(f"unknown data {data!r}: use one of {', '.join(NAMES)}")
    if data != "phantom" and root is None:
        raise UserError(f"data {data!r} needs a folder: add --root PATH/TO/IT")
    if root is not None and not root.is_dir():
        raise UserError(f"--root {root} is not a folder: give the folder that holds the data set")
    if data == "phantom" and root is not None:
        raise UserError(f"phantoms are made, not read: leave --root {root} out, or name its data set with --data")
    if data != "phantom":
        open_dataset(data, root)  # lists the folder only; a wrong one is said now, and once
    folder = str(root.resolve()) if root is not None else None  # the kernel works in another folder
    return {"SCALE": scale, "DEVICE": device, "SEED": seed, "DATA": data, "DATA_ROOT": folder}
