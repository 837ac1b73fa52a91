"""Two ways to the same result, in one process, turn by turn: equal first, then time and memory.

Time is CPU time of the process (on a GPU, wall time between two synchronisations), ours and theirs in turn, the order
reversed every other round. The ratio is the median of the rounds' ratios, with the least and the largest. Memory is
counted, not sampled: bytes of all tensors alive at the highest point (`course.memory`), or of all Python objects and
arrays (`tracemalloc`).
"""

from __future__ import annotations

import math
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from medattn_lite.course.memory import measure_cost
from tests.benchmarks.machine import Peaks, peaks_of

MEBIBYTE = 2**20
SHORT = 0.02  # seconds; a shorter call is repeated until the clock can tell
BUDGET = 1.0  # CPU seconds of one comparison, unless the fewest rounds take longer
FEWEST, MOST = 3, 9  # rounds
Run = Callable[[], Any]


@dataclass(frozen=True)
class Record:
    """One comparison.

    Attributes:
        work: what is computed, and how much of it.
        peer: what else computes it; says so where it is missing, or left out for its time or memory.
        device: cpu or cuda.
        threads: of torch.
        ours: median, in `unit`.
        theirs: likewise; None without a peer.
        unit: of `ours`, `theirs` and `limit`.
        ratio: ours ÷ theirs, median over rounds; below 1 ours is faster.
        low: the least ratio of a round.
        high: the largest.
        memory_ours: MiB at the highest point; None where it is not counted.
        memory_theirs: likewise.
        limit: what this machine needs at least, by its measured speed; None where it is not known.
        exponent: slope of log time over log size from the row before it in the same work; None without one.
    """

    work: str
    peer: str
    device: str
    threads: int
    ours: float
    theirs: float | None
    unit: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    memory_ours: float | None = None
    memory_theirs: float | None = None
    limit: float | None = None
    exponent: float | None = None


@dataclass(frozen=True)
class Case:
    """Two ways to one result.

    Attributes:
        work: as in `Record`.
        peer: likewise.
        ours: computes and returns what must be equal: tensors, arrays or numbers, in any nesting; None for nothing.
        theirs: likewise; None where there is no peer.
        is_equal: whether both give the same; False for another network, or a peer that does less or otherwise.
        close: largest difference allowed, relative to the largest number of the peer's.
        size: number of things, such as voxels or patients, for the exponent.
        series: cases of one series follow one another in size; `work` if empty.
        operations: multiplications and additions of ours, for the limit.
        moved: bytes that must be read and written at least, for the limit.
        memory: "tensors", "python" (with arrays) or "" for none.
        threads: of torch.
        device: where it runs.
        most: rounds at most.
        seconds: gives the seconds of a run itself, where they are not those of the process, such as of a child.
    """

    work: str
    peer: str
    ours: Run
    theirs: Run | None = None
    is_equal: bool = True
    close: float = 1e-4
    size: float | None = None
    series: str = ""
    operations: float | None = None
    moved: float | None = None
    memory: str = "tensors"
    threads: int = 1
    device: str = "cpu"
    most: int = MOST
    seconds: Callable[[Run], float] | None = None


@dataclass(frozen=True)
class Entry:
    """What `--only NAME` measures.

    Attributes:
        name: of the entry.
        title: heading on the page.
        starts: how the `work` of its records begins, and of no other entry's.
        cases: made one after the other, when they are needed; a record stands for itself.
    """

    name: str
    title: str
    starts: tuple[str, ...]
    cases: Callable[[], Iterator[Case | Record]]


def measure(cases: Iterator[Case | Record], *, budget: float = BUDGET) -> Iterator[Record]:
    """A record of each case.

    Raises:
        ValueError: ours and theirs are not equal; nothing of this case is timed then.
    """
    before: dict[str, tuple[float, float]] = {}
    for case in cases:
        if isinstance(case, Record):
            yield case
            continue
        threads = torch.get_num_threads()
        torch.set_num_threads(case.threads)
        try:
            record = _measure(case, peaks_of(case.device), budget)
        finally:
            torch.set_num_threads(threads)
        yield _with_exponent(record, case, before)


def _measure(case: Case, peaks: Peaks, budget: float) -> Record:
    runs: dict[str, Run] = {"ours": case.ours}
    if case.theirs is not None:
        runs["theirs"] = case.theirs
    if case.theirs is not None and case.is_equal:
        require_equal(case.work, case.ours(), case.theirs(), close=case.close)
    took: dict[str, list[float]] = {who: [] for who in runs}
    began = time.process_time()
    for number in range(case.most):
        for who in list(runs)[:: 1 if number % 2 else -1]:
            took[who].append(1000 * (case.seconds or seconds_of(case.device))(runs[who]))
        if number + 1 >= FEWEST and time.process_time() - began > budget:
            break
    ratios = [a / b for a, b in zip(took["ours"], took.get("theirs", ()), strict=False)]
    spread = (statistics.median(ratios), min(ratios), max(ratios)) if ratios else (None, None, None)
    memory = {who: memory_of(run, case.memory, case.device) for who, run in runs.items()}
    return Record(
        case.work, case.peer, case.device, case.threads, statistics.median(took["ours"]),
        statistics.median(took["theirs"]) if ratios else None, "ms", *spread, memory["ours"], memory.get("theirs"),
        peaks.milliseconds(operations=case.operations, moved=case.moved, threads=case.threads),
    )  # fmt: skip


def _with_exponent(record: Record, case: Case, before: dict[str, tuple[float, float]]) -> Record:
    if case.size is None:
        return record
    series = f"{case.series or case.work} {case.threads}"
    earlier, before[series] = before.get(series), (case.size, record.ours)
    if earlier is None:
        return record
    slope = math.log(record.ours / earlier[1]) / math.log(case.size / earlier[0])
    return Record(**{**vars(record), "exponent": slope})


def require_equal(work: str, ours: Any, theirs: Any, *, close: float) -> None:
    """Compares all numbers of two results.

    Raises:
        ValueError: their shapes or numbers differ by more than `close` of the largest.
    """
    pairs = list(zip(_numbers(ours), _numbers(theirs), strict=True))
    for one, other in pairs:
        if one.shape != other.shape:
            raise ValueError(f"{work}: ours gives {one.shape} and theirs {other.shape}")
        apart = np.abs(one - other).max(initial=0.0)
        if not apart <= max(close * np.abs(other).max(initial=0.0), 1e-12):  # also where one of them is NaN
            share = apart / max(np.abs(other).max(initial=0.0), 1e-30)
            raise ValueError(f"{work}: ours and theirs are {share:.1e} apart")


def _numbers(result: Any) -> Sequence[np.ndarray]:
    leaves = [leaf for leaf in tree_leaves(result) if leaf is not None]
    return [leaf.detach().double().cpu().numpy() if isinstance(leaf, Tensor) else np.asarray(leaf, float)
            for leaf in leaves]  # fmt: skip


def seconds_of(device: str) -> Callable[[Run], float]:
    """A function that gives the seconds of one call."""
    return _on_gpu if device.startswith("cuda") else _on_cpu


def _on_cpu(run: Run) -> float:
    calls, began = 0, time.process_time()
    while not calls or time.process_time() - began < SHORT:
        run()
        calls += 1
    return (time.process_time() - began) / calls


def _on_gpu(run: Run) -> float:
    torch.cuda.synchronize()
    calls, began = 0, time.perf_counter()
    while not calls or time.perf_counter() - began < SHORT:
        run()
        torch.cuda.synchronize()
        calls += 1
    return (time.perf_counter() - began) / calls


def memory_of(run: Run, how: str, device: str = "cpu") -> float | None:
    """MiB at the highest point of a call, above what there was before."""
    if not how:
        return None
    if device.startswith("cuda"):
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / MEBIBYTE
    if how == "tensors":
        return measure_cost(run).mebibytes
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1] / MEBIBYTE
    finally:
        tracemalloc.stop()
