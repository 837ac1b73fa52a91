"""Run one notebook by papermill, and say what came of it.

papermill alone lets three kinds of mistakes through: a parameter that the notebook does not have and a
missing `parameters` tag only warn, and an error inside a widget's callback is kept in the widget and the run
passes. Here each of them fails the notebook. The kernel works in a folder of its own outside the project, so
that nothing depends on where it was started.
"""

from __future__ import annotations

import ast
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medattn_lite.course.metrics import collect_metrics
from medattn_lite.course.outcome import cell_errors, exercise_states, one_line, tidied, widget_errors
from medattn_lite.errors import UserError


@dataclass
class NotebookRun:
    """What came of one notebook.

    Attributes:
        name: the notebook's name without its ending.
        executed: the executed copy.
        seconds: wall time, from before the kernel's start to after its end.
        peak_memory_mb: largest resident memory of the kernel and its children, in MB (10⁶ bytes).
        metrics: what the notebook recorded, in order.
        exercises: state of each check that was called, by exercise.
        errors: one line an error; empty if all went well.
    """

    name: str
    executed: Path
    seconds: float = 0.0
    peak_memory_mb: float = 0.0
    metrics: list[dict[str, Any]] = field(default_factory=list)
    exercises: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the notebook ran to its end without an error."""
        return not self.errors


def parameter_names(notebook: Any, *, name: str = "the notebook") -> list[str]:
    """The names assigned in the cell tagged `parameters`.

    Raises:
        UserError: no cell has the tag, or more than one has.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise UserError(f"{name}: {len(cells) or 'no'} cells are tagged `parameters`; exactly one must be")
    names = []
    for line in ast.parse(cells[0].source).body:
        targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
        names += [target.id for target in targets if isinstance(target, ast.Name)]
    return names


def run_notebook(
    path: Path,
    *,
    out: Path,
    parameters: Mapping[str, Any],
    cell_timeout: int | None = 600,
    on_cell: Callable[[], None] | None = None,
    managers: Callable[[Path], type[Any]] | None = None,
) -> NotebookRun:
    """Run one notebook to its end or its first error.

    Args:
        path: the notebook.
        out: folder for the executed copy, which gets the same name.
        parameters: values for its parameters cell; each must be assigned there.
        cell_timeout: seconds a cell may take; None for no limit.
        on_cell: called whenever a cell begins.
        managers: from a scratch folder to the class of kernel managers; a new kernel of this Python by default.

    Returns:
        What came of it. A notebook's errors are in it and are not raised.
    """
    import nbformat

    run = NotebookRun(name=path.stem, executed=out / path.name)
    start = time.perf_counter()
    try:
        notebook = nbformat.read(path, as_version=4)
        known = parameter_names(notebook, name=path.name)
        unknown = [name for name in parameters if name not in known]
        if unknown:
            raise UserError(f"{path.name} has no parameter {', '.join(unknown)}; it has {', '.join(known)}")
    except UserError as error:
        run.errors.append(str(error))
        return run
    except (OSError, ValueError, nbformat.ValidationError) as error:
        run.errors.append(f"{path.name} cannot be read as a notebook: {one_line(error)}")
        return run
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="medattn-", ignore_cleanup_errors=True) as scratch:
        failure = _execute(run, path, Path(scratch), parameters, cell_timeout, on_cell, managers)
    run.seconds = time.perf_counter() - start
    if run.executed.exists():
        executed = tidied(run.executed)
        run.metrics = collect_metrics(executed.cells)
        run.exercises = exercise_states(executed)
        run.errors += [*cell_errors(executed), *widget_errors(executed)]
    if failure and not run.errors:
        run.errors.append(failure)
    return run


def _execute(run: NotebookRun, path: Path, scratch: Path, parameters: Mapping[str, Any],
             cell_timeout: int | None, on_cell: Callable[[], None] | None,
             managers: Callable[[Path], type[Any]] | None) -> str:
    """Let papermill do it; returns the failure in one line, or nothing."""
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    from medattn_lite.course.kernel import MemoryWatch, kernel_manager_class

    kernels = (managers or kernel_manager_class)(scratch)
    (scratch / "work").mkdir()
    run.executed.unlink(missing_ok=True)
    with MemoryWatch(kernels) as memory:
        try:
            papermill.execute_notebook(
                str(path.resolve()), str(run.executed.resolve()), parameters=dict(parameters), kernel_name="python3",
                language="python", progress_bar=False, cwd=str(scratch / "work"), start_timeout=120,
                execution_timeout=cell_timeout, kernel_manager_class=kernels,
                on_cell_start=(lambda cell, cell_index: on_cell()) if on_cell else None,
            )
            failure = ""
        except papermill.PapermillExecutionError:
            failure = ""  # the executed copy has it, with the errors that are there on purpose
        except CellTimeoutError:
            failure = f"a cell took longer than {cell_timeout} s"
        except DeadKernelError:
            failure = f"the kernel died, most often for lack of memory; the last seen was {memory.peak / 1e6:.0f} MB"
        except Exception as error:  # whatever happens in one notebook, the next one runs
            failure = f"could not be run: {one_line(error)}"
    run.peak_memory_mb = memory.peak / 1e6
    return failure
