"""Explanations beside captum, and beside themselves with the layer named."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from medattn_lite.explain.methods import default_layer, grad_cam, integrated_gradients, layers, occlusion
from medattn_lite.explain.model import ClassLogit
from medattn_lite.networks.trained import load_trained
from tests.benchmarks.measuring import Case, Entry
from tests.benchmarks.missing import importable

NETWORK = "grade_p3d_iam"


def _network(*size: int) -> tuple[nn.Module, Tensor]:
    trained = load_trained(NETWORK)
    torch.manual_seed(0)
    return trained.network.eval(), torch.randn(1, len(trained.channels), *size)


def cam_cases() -> Iterator[Case]:
    """Grad-CAM of one image."""
    from captum.attr import LayerGradCam

    model, image = _network(48, 56, 48)
    layer = default_layer(model, image)
    module = model.get_submodule(layer)
    named = lambda: grad_cam(model, image, target=ClassLogit(1), layer=layer).values  # noqa: E731
    captum = LayerGradCam(model, module)
    title = "Grad-CAM 4×48×56×48"
    yield Case(f"{title}, layer named", "captum", named,
               lambda: captum.attribute(image, 1, relu_attributions=False)[:, 0], close=1e-5)  # fmt: skip
    with torch.no_grad():
        predicted = int(model(image).argmax())
    known = lambda: grad_cam(model, image, target=ClassLogit(predicted), layer=layer).values  # noqa: E731
    yield Case(f"{title}, nothing named, again", "the same with layer and class named",
               lambda: grad_cam(model, image).values, known, close=1e-6)  # fmt: skip
    yield Case(f"{title}, nothing named, the first time", "the same with layer and class named",
               lambda: _anew(model, image), known, close=1e-6, memory="")  # fmt: skip
    others = importable("pytorch_grad_cam", "GradCAM")
    yield Case(f"{title}, layer named", "pytorch_grad_cam" + ("" if others else " (missing)"), named,
               others and (lambda: _other(others, model, module, image)), is_equal=False, memory="")  # fmt: skip


def _anew(model: nn.Module, image: Tensor) -> Tensor:
    """As of a network whose layers nobody has asked for yet."""
    layers._KNOWN.pop(model, None)
    return grad_cam(model, image).values


def _other(method: type, model: nn.Module, module: nn.Module, image: Tensor) -> None:
    method(model=model, target_layers=[module])(input_tensor=image)


def attribution_cases() -> Iterator[Case]:
    """Integrated gradients and occlusion: captum's own, with eval mode, targets and several outputs around it."""
    from captum.attr import IntegratedGradients, Occlusion

    model, image = _network(32, 40, 32)
    start = image.flatten(2).amin(2).reshape(1, -1, 1, 1, 1).expand_as(image)
    target = ClassLogit(1)
    steps, windows = 16, 4
    window = tuple(math.ceil(side / windows) for side in image.shape[2:])
    yield Case(f"integrated gradients, {steps} steps, 4×32×40×32", "captum",
               lambda: integrated_gradients(model, image, target=target, steps=steps)[0],
               lambda: IntegratedGradients(model).attribute(image, start, target=1, n_steps=steps).sum(1),
               close=1e-4, most=3)  # fmt: skip
    shape = (image.shape[1], *window)
    yield Case(f"occlusion, {windows**3} windows, 4×32×40×32", "captum",
               lambda: occlusion(model, image, target=target, window=window),
               lambda: Occlusion(model).attribute(image, shape, shape, start, target=1)[:, 0], close=1e-4,
               most=3)  # fmt: skip


def entries(device: str = "cpu") -> Iterator[Entry]:
    """What `--only` knows of this room; none on a GPU."""
    if device != "cpu":
        return
    yield Entry("cam", "Class activation maps", ("Grad-CAM",), cam_cases)
    yield Entry("attribution", "Attributions", ("integrated", "occlusion"), attribution_cases)
