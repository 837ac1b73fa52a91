"""Peak memory of a training on small and large folders of synthetic patients: does it grow with their number?

    python -m tests.benchmarks.cohort_memory --patients 200 2000 --limit-mb 4

Writes each folder of NIfTI files to a temporary place, runs `medattn train grading` on it in a process of its own, and
prints the largest resident memory of that process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.training.test_image_store import write_cohort

RUN = """
import resource, sys
from medattn_lite.cli import main
code = main(sys.argv[1:])
print("PEAK", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
sys.exit(code)
"""
WORDS = ("train", "grading", "--data", "nifti", "--variants", "P3D", "--first-folds", "1", "--device", "cpu", "--quiet",
         "--set", "batch_size=60")  # fmt: skip


def peak_mb(patients: int, limit_mb: float) -> float:
    """Largest resident memory in MB of a training on so many patients."""
    with tempfile.TemporaryDirectory() as place:
        root = write_cohort(Path(place) / "cohort", patients)
        words = [*WORDS, "--root", str(root), "--out", str(Path(place) / "run")]
        environment = {**os.environ, "MEDATTN_IMAGES_MB": str(limit_mb)}
        done = subprocess.run([sys.executable, "-c", RUN, *words], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        return float(done.stdout.rpartition("PEAK ")[2])


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--patients", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--limit-mb", type=float, default=4.0)
    options = parser.parse_args()
    for patients in options.patients:
        print(f"{patients} patients, at most {options.limit_mb:g} MB of images in memory: "
              f"{peak_mb(patients, options.limit_mb):.0f} MB at most", flush=True)


if __name__ == "__main__":
    main()
