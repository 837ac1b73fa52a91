"""Where each data set comes from, under which licence, and how to get it.

Only sets that anyone may download without an account have addresses here. A file is listed with a
checksum that its source publishes: MONAI's for the Decathlon archive, Git's own for the files of a
repository at a fixed commit. For the others there are steps to follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from medattn_lite.data.readers.medmnist import SETS, file_name
from medattn_lite.errors import UserError


@dataclass(frozen=True)
class Mirror:
    """One of the places a file lies at."""

    name: str
    url: str


@dataclass(frozen=True)
class RemoteFile:
    """A file to download.

    Attributes:
        path: where it goes, relative to the data folder.
        mirrors: tried in this order.
        checksum: "md5:…", "sha1:…", "sha256:…", or "git:…" for the id that Git gives a file's content;
            "sha256-begins:…" where the source publishes the first digits only.
        size: bytes, if known beforehand.
        unpack: it is an archive, unpacked where it lies and then deleted.
    """

    path: str
    mirrors: tuple[Mirror, ...]
    checksum: str
    size: int | None = None
    unpack: bool = False


@dataclass(frozen=True)
class GitFolder:
    """Part of a public Git repository at one commit; its listing names every file with its checksum.

    Attributes:
        listing: mirrors of the tree listing, as JSON in the manner of GitHub.
        mirrors: mirrors of a file; `{path}` stands for its path.
        commit: the commit that the addresses name.
        folders: option `layout` → folder to take.
        always: files to take whatever the layout.
    """

    listing: tuple[Mirror, ...]
    mirrors: tuple[Mirror, ...]
    commit: str
    folders: dict[str, str]
    always: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A data set: what it is, whose, and how to get it.

    Attributes:
        name: as for `fetch`.
        title: the full name.
        licence: name of the licence, as its source states it.
        licence_url: where to read it.
        cite: what to cite.
        folder: folder in the data folder; what `open_dataset` is given as root.
        size: how much to expect, in words.
        use: the command that takes it, where it is not a data set.
        files: files to download.
        layouts: option `layout` → files to download; the first is the default.
        git: part of a repository to download.
        steps: what to do by hand where there is nothing to download freely.
        reads_as: name for `open_dataset`.
    """

    name: str
    title: str
    licence: str
    licence_url: str
    cite: str
    folder: str
    size: str
    use: str = ""
    files: tuple[RemoteFile, ...] = ()
    layouts: Mapping[str, tuple[RemoteFile, ...]] = field(default_factory=dict)
    git: GitFolder | None = None
    steps: tuple[str, ...] = ()
    reads_as: str = ""

    def describe(self) -> str:
        """The licence and what to cite, several lines."""
        return "\n".join([
            f"{self.title}",
            f"  licence: {self.licence}, {self.licence_url}",
            f"  cite:    {self.cite}",
            f"  size:    {self.size}",
        ])


_OPEN_MS = "muschellij2/open_ms_data"
_OPEN_MS_COMMIT = "ab6737647be9665e5448d18be2d715e0a89f7170"
_MSD = "Task01_BrainTumour.tar"
_RESNEST = "resnest50-528c19ca.pth"  # as torch.hub names files: the first eight digits of their SHA-256
_MEDMNIST = "https://zenodo.org/records/10519652"


def _medmnist(which: str, side: int) -> tuple[RemoteFile, ...]:
    name = file_name(which, side)
    place = Mirror("Zenodo", f"{_MEDMNIST}/files/{name}?download=1")
    return (RemoteFile(f"medmnist3d/{name}", (place,), f"md5:{SETS[which].md5[side]}"),)


SOURCES: dict[str, Source] = {source.name: source for source in (
    Source(
        name="open-ms",
        title="3D MR image database of multiple sclerosis patients (Laboratory of Imaging Technologies, Ljubljana)",
        licence="CC BY (as its LICENSE.txt says)",
        licence_url=f"https://github.com/{_OPEN_MS}/blob/master/cross_sectional/LICENSE.txt",
        cite="Lesjak et al., Neuroinformatics 2017, doi 10.1007/s12021-017-9348-7",
        folder="open_ms_data",
        size="30 patients; the layout MNI a few hundred MB, the raw images more",
        git=GitFolder(
            listing=(Mirror("GitHub", f"https://api.github.com/repos/{_OPEN_MS}/git/trees/{_OPEN_MS_COMMIT}?recursive=1"),),
            mirrors=(
                Mirror("GitHub raw", f"https://raw.githubusercontent.com/{_OPEN_MS}/{_OPEN_MS_COMMIT}/{{path}}"),
                Mirror("GitHub", f"https://github.com/{_OPEN_MS}/raw/{_OPEN_MS_COMMIT}/{{path}}"),
            ),
            commit=_OPEN_MS_COMMIT,
            folders={name: f"cross_sectional/{name}/" for name in ("MNI", "coregistered", "raw")},
            always=("cross_sectional/LICENSE.txt", "cross_sectional/patient_info.csv", "cross_sectional/README.md"),
        ),
        reads_as="open-ms",
    ),
    Source(
        name="medmnist3d",
        title="MedMNIST v2, its 3-D sets: nodules, vessels, adrenal glands, rib fractures, organs",
        licence="CC BY 4.0, as its record states",
        licence_url=_MEDMNIST,
        cite="Yang et al., Scientific Data 2023, doi 10.1038/s41597-022-01721-8, and the source of the set you use",
        folder="medmnist3d",
        size="one file per set, some tens of MB at 28 voxels per side, some hundreds at 64",
        layouts={which if side == 28 else f"{which}-{side}": _medmnist(which, side)
                 for side in (28, 64) for which in SETS},
        reads_as="medmnist3d",
    ),
    Source(
        name="msd",
        title="Medical Segmentation Decathlon, Task01_BrainTumour",
        licence="CC BY-SA 4.0",
        licence_url="http://medicaldecathlon.com",
        cite="Antonelli et al., Nature Communications 2022, doi 10.1038/s41467-022-30695-9",
        folder="Task01_BrainTumour",
        size="an archive of about 7 GB, and as much again while it is unpacked",
        files=(RemoteFile(
            path=_MSD,
            mirrors=(
                Mirror("AWS Open Data", f"https://msd-for-monai.s3-us-west-2.amazonaws.com/{_MSD}"),
                Mirror("AWS Open Data, newer address", f"https://msd-for-monai.s3.us-west-2.amazonaws.com/{_MSD}"),
            ),
            checksum="md5:240a19d752f0d9e9101544901065d872",  # monai.apps.DecathlonDataset.md5
            unpack=True,
        ),),
        reads_as="msd",
    ),
    Source(
        name="resnest50",
        title="ResNeSt-50 trained on ImageNet, by its authors: what the presence and source recipes start from",
        licence="Apache-2.0 of the code; the images of ImageNet have terms of their own, non-commercial research",
        licence_url="https://github.com/zhanghang1989/ResNeSt/blob/master/LICENSE",
        cite="Zhang et al., ResNeSt: Split-Attention Networks, arXiv 2004.08955",
        folder="weights",
        size="one file of about 110 MB",
        use=f"medattn train presence --scale paper --set weights={{folder}}/{_RESNEST}",
        files=(RemoteFile(
            path=f"weights/{_RESNEST}",
            mirrors=(
                Mirror("ResNeSt", f"https://github.com/zhanghang1989/ResNeSt/releases/download/weights_step1/{_RESNEST}"),
                Mirror("timm", "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-resnest/"
                               f"{_RESNEST}"),
                Mirror("encoding", f"https://hangzh.s3.amazonaws.com/encoding/models/{_RESNEST}"),
            ),
            checksum="sha256-begins:528c19ca",
        ),),
    ),
    Source(
        name="lgg",
        title="LGG segmentation dataset (Kaggle: mateuszbuda/lgg-mri-segmentation, 110 patients of TCGA-LGG)",
        licence="CC BY-NC-SA 4.0, as its Kaggle page states",
        licence_url="https://www.kaggle.com/datasets/mateuszbuda/lgg-mri-segmentation",
        cite="Buda et al., Computers in Biology and Medicine 2019; Mazurowski et al., Journal of Neuro-Oncology 2017",
        folder="kaggle_3m",
        size="about 1 GB",
        steps=(
            "Make an account at kaggle.com and open the page named above as the licence.",
            "Read the licence, press Download, and unpack the archive.",
            "Move its folder kaggle_3m into your data folder: data/kaggle_3m/TCGA_CS_4941_19960909/…",
            "For survival and grade, put a table cases.csv into it: case or Patient, OS, OS.time (days), cdr_grade, "
            "'IDH status'. The TCGA clinical data resource (Liu et al., Cell 2018) has them by patient.",
        ),
        reads_as="lgg",
    ),
    Source(
        name="brats",
        title="BraTS, the Multimodal Brain Tumor Segmentation challenge",
        licence="terms of the challenge; research only, no redistribution",
        licence_url="https://www.synapse.org/brats",
        cite="Menze et al. 2015; Bakas et al. 2017 and 2018; Baid et al. 2021; and what the year you use asks for",
        folder="brats",
        size="10 to 15 GB for a year's training set",
        steps=(
            "Make an account at synapse.org, open the page of the year you want, and ask for access to its data.",
            "When access is granted, download the training data and unpack it.",
            "Leave the folders as they are (HGG and LGG in 2017 to 2019, one folder per case later), and keep "
            "name_mapping.csv and survival_*.csv beside them: they hold grade and survival.",
            "Put the folder into your data folder as data/brats.",
        ),
        reads_as="brats",
    ),
    Source(
        name="ucsf-pdgm",
        title="UCSF-PDGM: University of California San Francisco Preoperative Diffuse Glioma MRI, 501 patients",
        licence="CC BY 4.0, as its page in The Cancer Imaging Archive states",
        licence_url="https://doi.org/10.7937/tcia.bdgf-8v37",
        cite="Calabrese et al., Radiology: Artificial Intelligence 2022",
        folder="ucsf_pdgm",
        size="about 150 GB",
        steps=(
            "Open the page named above as the licence and read the data usage policy.",
            "Download the NIfTI images with the IBM Aspera client that the page links, and the metadata table (CSV).",
            "Put them into your data folder as data/ucsf_pdgm, one folder per patient.",
            "Write a cases.csv with the columns image_t1, image_t1ce, image_t2, image_flair, mask, label, time, event, "
            "subject, and read it as data set 'nifti'.",
        ),
        reads_as="nifti",
    ),
)}


def source(name: str) -> Source:
    """The source of a data set.

    Raises:
        UserError: there is none of that name.
    """
    if name in ("phantom", "images", "nifti"):
        what = "phantoms are made, not downloaded" if name == "phantom" else f"{name!r} reads your own files"
        raise UserError(f"{what}: nothing to fetch")
    if name not in SOURCES:
        raise UserError(f"unknown data set {name!r}: fetch knows {', '.join(SOURCES)}")
    return SOURCES[name]
