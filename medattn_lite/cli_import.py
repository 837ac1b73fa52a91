"""`medattn import`: a study of DICOM files as NIfTI files, without what identifies a patient."""

from __future__ import annotations

import argparse
import sys

from medattn_lite.cli_faults import folder, path, whole
from medattn_lite.errors import UserError
from medattn_lite.escaping import printable

DE_IDENTIFICATION = (
    "removed: every DICOM tag (names, identifiers, dates, institution, UIDs, free text). Stays: voxels, with the face "
    "and any text burned into them; place in mm; in series.tsv scanner, field strength, TR, TE, TI"
)


def import_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `medattn import` to its parser."""
    parser.add_argument("study", type=folder, metavar="DICOM_DIR",
                        help="folder of DICOM files, whatever they are called")
    parser.add_argument("out", nargs="?", type=path, metavar="OUT",
                        help="folder for the NIfTI files; nothing in it is replaced")
    parser.add_argument("--list", action="store_true", help="list the series and write nothing")
    parser.add_argument("--series", nargs="+", type=whole(1, 1_000_000), default=[], metavar="N",
                        help="numbers of the list; left out: all that may be a volume")
    parser.add_argument("--patient", metavar="NAME", help="name of the patient's folder instead of sub-01")
    parser.set_defaults(run=_import)


def _import(options: argparse.Namespace) -> int:
    from medattn_lite.data.readers.dicom import find_series
    from medattn_lite.data.readers.dicom_import import TABLE, import_study

    if options.out is None and not options.list:
        raise UserError("name a folder for the NIfTI files (medattn import DICOM_DIR OUT), or ask for --list")
    study = find_series(options.study)
    for line in (*(series.line() for series in study.series), *(f"note: {remark}" for remark in study.remarks)):
        print(printable(line))
    if options.list:
        return 0
    done = import_study(study, options.out, series=options.series, patient=options.patient)
    for item in done:
        words = item.path or "not converted"
        print(printable(f"series {item.series.number}: {words}{'; ' + item.remark if item.remark else ''}"))
    print(printable(f"{sum(item.path is not None for item in done)} of {len(done)} series in {options.out}, named in "
                    f"{options.out / TABLE}"))
    print(DE_IDENTIFICATION)
    print(printable(f"next: medattn check-data nifti --root {options.out}"))
    failed = [item for item in done if item.path is None]
    for item in failed:
        print(printable(f"medattn: series {item.series.number} was not converted: {item.remark}"), file=sys.stderr)
    return int(bool(failed))
