"""Every benchmark: what we compute beside a peer, with memory, growth and what this machine could do at most.

    medattn study benchmarks                         writes figures/benchmarks.json, .md and .png; or: make bench
    medattn study benchmarks --only rsa cox          these entries anew, the others stay as they are
    medattn study benchmarks --list                  the entries
    medattn study benchmarks --page                  the page again, from the records that are there
    medattn study benchmarks --device cuda           on a GPU; or: make bench-gpu

An interrupted run goes on where it stopped. Peers beyond the package's own needs: pip install "medattn-lite[bench]".
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from tests.benchmarks.entries import entries
from tests.benchmarks.machine import load, peaks_of
from tests.benchmarks.measuring import BUDGET, Entry, Record, measure
from tests.benchmarks.page import growth_picture, markdown

FIGURES = Path(__file__).resolve().parents[2] / "figures"
PROGRESS = Path("runs/benchmarks-done.json")


def read(path: Path) -> list[Record]:
    """The records of a file; none where there is no file."""
    return [Record(**facts) for facts in json.loads(path.read_text("utf-8"))] if path.exists() else []


def merged(kept: Sequence[Record], new: Sequence[Record], entry: Entry, device: str) -> list[Record]:
    """The new records of an entry in place of its old ones.

    Raises:
        ValueError: a record whose work is not one of the entry's.
    """
    strangers = [one.work for one in new if not one.work.startswith(entry.starts)]
    if strangers:
        raise ValueError(f"entry {entry.name}: {strangers[0]!r} starts with none of {entry.starts}")
    others = [one for one in kept if one.device != device or not one.work.startswith(entry.starts)]
    order = {start: place for place, entry in enumerate(entries(device)) for start in entry.starts}

    def place(one: Record) -> tuple[bool, int]:
        return one.device != "cpu", min((order[start] for start in order if one.work.startswith(start)), default=-1)

    return sorted([*others, *new], key=place)


def machine_records(device: str) -> list[Record]:
    """What the limits were computed from."""
    peaks = peaks_of(device)
    values = {"matrix product, float32": (peaks.product, "GFLOP/s"), "convolution 3×3×3, float32":
              (peaks.convolution, "GFLOP/s"), "matrix product, bfloat16": (peaks.half, "GFLOP/s"),
              "copy, read and written": (peaks.bandwidth, "GB/s")}  # fmt: skip
    return [Record(f"machine: {name}", "none: measured", device, 1, value / 1e9, None, unit)
            for name, (value, unit) in values.items()]  # fmt: skip


MACHINE = Entry("machine", "This machine, one thread", ("machine:",), lambda: iter(()))


def write(records: Sequence[Record], out: Path) -> None:
    """The three files."""
    out.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(asdict(one), ensure_ascii=False) for one in records)
    (out / "benchmarks.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    (out / "benchmarks.md").write_text(markdown(records), encoding="utf-8")
    growth_picture(records, out / "benchmarks.png")


def main(arguments: list[str] | None = None) -> int:
    """Measures and writes after each entry; 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="medattn study benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these entries; all if left out")
    parser.add_argument("--list", action="store_true", help="names of the entries")
    parser.add_argument("--page", action="store_true", help="write the page from the records, measure nothing")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--seconds", type=float, default=BUDGET, help=f"of each comparison, about (default: {BUDGET})")
    parser.add_argument("--anew", action="store_true", help="also what an interrupted run has finished")
    parser.add_argument("--out", type=Path, default=FIGURES, metavar="DIR", help="folder (default: figures)")
    options = parser.parse_args(arguments)
    every = {one.name: one for one in (MACHINE, *entries(options.device))}
    if options.list:
        print("\n".join(f"{name:<16}{one.title}" for name, one in every.items()))
        return 0
    if options.page:
        write(read(options.out / "benchmarks.json"), options.out)
        print(options.out / "benchmarks.md")
        return 0
    unknown = [name for name in options.only if name not in every]
    if unknown:
        parser.error(f"there is no entry {unknown[0]!r}: use one of {', '.join(every)}")
    torch.backends.cudnn.allow_tf32 = False  # peers are compared in float32
    done = [] if options.only or options.anew or not PROGRESS.exists() else json.loads(PROGRESS.read_text("utf-8"))
    if done:
        print(f"going on; finished before: {', '.join(done)} (--anew measures them again)")
    wrong = []
    for name in options.only or [name for name in every if f"{options.device} {name}" not in done]:
        if not _one(every[name], options):
            wrong.append(name)
        elif not options.only:
            done.append(f"{options.device} {name}")
            PROGRESS.parent.mkdir(parents=True, exist_ok=True)
            PROGRESS.write_text(json.dumps(done), encoding="utf-8")
    if not wrong and not options.only:
        PROGRESS.unlink(missing_ok=True)
    print(f"{options.out / 'benchmarks.md'}" + (f"; failed: {', '.join(wrong)}" if wrong else ""))
    return 1 if wrong else 0


def _one(entry: Entry, options: argparse.Namespace) -> bool:
    """Measures an entry and puts it into the files; False if it failed, which is printed and changes no file."""
    began, new = time.process_time(), []
    try:
        cases = iter(machine_records(options.device)) if entry is MACHINE else entry.cases()
        for record in measure(cases, budget=options.seconds):
            new.append(record)
            ratio = "" if record.ratio is None else f", ratio {record.ratio:.2f} [{record.low:.2f}, {record.high:.2f}]"
            print(f"{record.work} | {record.peer} | {record.ours:.3g} {record.unit}{ratio}", flush=True)
    except Exception as error:  # the other entries are still worth measuring
        print(f"{entry.name} FAILED: {type(error).__name__}: {error}", flush=True)
        return False
    write(merged(read(options.out / "benchmarks.json"), new, entry, options.device), options.out)
    print(f"-- {entry.name}: {time.process_time() - began:.0f} s of CPU{load()}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
