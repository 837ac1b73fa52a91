"""The registry: parameter counts and shapes of every network of the papers."""

from __future__ import annotations

import functools
import json
import subprocess
import sys

import pytest
import torch

from medattn_lite.cli import main
from medattn_lite.errors import UserError
from medattn_lite.networks.description import FILE, table
from medattn_lite.networks.network_list import measured
from medattn_lite.networks.registry import NETWORKS, build
from medattn_lite.networks.registry import describe as describe_anew

# Counted in the official code, or as MONAI's network of that size; NCL, 101 and 111 and the fusions follow from them.
PARAMETERS = {
    "p3d_iam": 34_931_826,
    "p3d": 27_370_498,
    "resnet50_3d": 46_225_026,
    "resnest50": 25_438_338,
    "resnesat50": 25_438_338 + 1_568,
    "resnet50_2d": 25_557_032 - 1000 * 2049 + 2 * 2049,  # torchvision's, with two classes
    "densenet121_2d": 7_978_856 - 1000 * 1025 + 2 * 1025,
    "se_resnext50_2d": 27_559_896 - 1000 * 2049 + 2 * 2049,
    "unet3d": 24_554_339 - 787_971,
    "ncl_010": 24_554_339 - 787_971 + 526_592,
    "ncl_101": 24_030_816,
    "ncl_111": 24_030_816 + 526_592,
    "rsanet_010": 24_554_339,
    "rsanet_101": 24_161_126,
    "rsanet_111": 24_161_126 + 787_971,
    "dynunet": 31_192_035,
    "segresnet": 4_702_227,
    "late_fusion": 31_192_035 + 4_702_227,
    "early_fusion": 31_192_035 + 4_702_227 + (32 + 16 + 1) * 32 + (32 + 1) * 3,
    "dual_fusion": 36_011_897,
    "survival_se_resnext50": 28_457_539,
    "survival_resnet50_cbam": 48_785_779,
    "survival_densenet121": 11_327_955,
    "se_resnext50_3d": 28_457_539 - 2049 * (19 - 2),
    "resnet50_cbam_3d": 48_785_779 - 2049 * (19 - 2),
}
OUTPUTS = {
    (4, 128, 128, 128): {(1, 2), (1, 3, 128, 128, 128)},
    (3, 256, 256): {(1, 2)},
    (3, 44, 230, 320): {(1, 2, 44, 230, 320)},
    (4, 78, 120, 120): {(1, 19), (1, 2)},
}
describe = functools.cache(describe_anew)  # each network is built once for all tests here
ODD = {2: (65, 78), 3: (29, 34, 41)}


def test_every_network_has_a_count_here():
    assert list(PARAMETERS) == list(NETWORKS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_and_shapes_are_the_published_ones(name):
    description = describe(name)
    assert description.parameters == PARAMETERS[name]
    assert description.input_shape == (1, *NETWORKS[name].input_shape)
    assert description.output_shape in OUTPUTS[NETWORKS[name].input_shape]


def test_only_the_heads_of_fusion_learn_by_default():
    assert [describe(name).trainable for name in ("late_fusion", "early_fusion", "dual_fusion")] == [0, 1667, 117_635]
    assert describe("p3d").trainable == PARAMETERS["p3d"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_published_network_runs_on_one_image_of_odd_size(name):
    channels, *published = NETWORKS[name].input_shape
    size = ODD[len(published)]
    with torch.no_grad():
        output = build(name).eval()(torch.randn(1, channels, *size))
    per_voxel = len(describe(name).output_shape) > 2
    assert tuple(output.shape) == (1, output.shape[1], *size) if per_voxel else (1, output.shape[1])
    assert output.isfinite().all() and output.std() > 0


def test_options_make_another_size_of_the_same_class():
    small = build("survival_se_resnext50", layers=(1, 1, 1, 1), stem_width=32, intervals=5)
    assert type(small) is type(build("survival_resnet50_cbam"))
    assert sum(parameter.numel() for parameter in small.parameters()) < 3_000_000
    assert small.fc.out_features == 5
    assert not any(type(m).__name__ == "InterSliceAttention" for m in build("p3d", layers=(1, 1, 1, 1)).modules())


def test_a_description_is_plain_json():
    description = json.loads(json.dumps(describe("segresnet").as_dict()))
    assert description["name"] == "segresnet"
    assert description["output_shape"] == [1, 3, 128, 128, 128]
    assert set(description) >= {"paper", "parameters", "input_shape", "output_shape", "summary"}


def test_the_table_puts_networks_under_their_paper():
    lines = table([describe("resnest50"), describe("resnesat50"), describe("segresnet")])
    assert [line.startswith("  ") for line in lines] == [False, True, True, False, False, True]
    assert "25,438,338  1×3×256×256 → 1×2 " in lines[1]
    assert "dual-fusion" in lines[4] and lines[3] == ""


def test_an_unknown_name_gets_the_list_of_names():
    with pytest.raises(UserError, match="no network is called 'p3d-iam': use one of p3d_iam, p3d,"):
        describe("p3d-iam")


def test_the_command_lists_networks_as_text_and_as_json(capsys):
    assert main(["networks", "segresnet", "resnest50"]) == 0
    assert capsys.readouterr().out.splitlines() == table([describe("segresnet"), describe("resnest50")])
    assert main(["networks", "--json"]) == 0
    listed = {item["name"]: item for item in json.loads(capsys.readouterr().out)}
    assert {name: item["parameters"] for name, item in listed.items()} == PARAMETERS
    assert listed["p3d_iam"]["input_shape"] == [1, 4, 128, 128, 128]


def test_the_command_answers_an_unknown_network_in_one_line(capsys):
    assert main(["networks", "unet"]) == 2
    assert capsys.readouterr().err.startswith("medattn: no network is called 'unet'")


def test_the_list_of_names_imports_no_network():
    code = (
        "import sys; from medattn_lite.networks.registry import NETWORKS; assert NETWORKS; "
        "print('monai' in sys.modules, 'medattn_lite.networks.p3d' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


def test_the_list_is_kept_in_a_file_that_says_what_is_measured(tmp_path) -> None:
    assert json.loads(FILE.read_text(encoding="utf-8")) == json.loads(json.dumps(measured())), (
        "run medattn study network-list"
    )


def test_the_list_needs_no_torch() -> None:
    code = "import sys; from medattn_lite.cli import main; main(['networks']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    assert "p3d_iam" in done.stdout and "split attention" in done.stdout
