"""Survival networks: heads with known answers, backbones at any size, clinical values."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from medattn_lite.errors import UserError
from medattn_lite.networks.survival import DenseNetFeatures, SurvivalNetwork, survival_network
from medattn_lite.survival.heads import LINKS, logistic_log_probabilities, official_log_probabilities

SMALL = {
    "se_resnext50": {"layers": (1, 1, 1, 1), "groups": 4, "base_width": 4, "stem_width": 16, "reduction": 4},
    "resnet50_cbam": {"layers": (1, 1, 1, 1), "width": 16, "reduction": 4},
    "densenet121": {"block_config": (1, 1, 1, 1), "init_features": 8, "growth_rate": 4},
}
FULL_SIZE_FEATURES = {"se_resnext50": 2048, "resnet50_cbam": 2048, "densenet121": 1024}


class FixedFeatures(nn.Module):
    """Gives the image's channel means as features."""

    num_features = 3

    def forward(self, images):
        return images.mean(dim=(2, 3, 4))


def test_the_official_head_has_known_values():
    outputs = torch.tensor([0.0, 1.0, -1.0], dtype=torch.float64)
    expected = [0.5, (1 / (1 + math.exp(-1))) ** math.e, (1 / (1 + math.e)) ** (1 / math.e)]
    log_survive, log_die = official_log_probabilities(outputs)
    torch.testing.assert_close(log_survive.exp(), torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(log_die.exp(), 1 - torch.tensor(expected, dtype=torch.float64))


def test_the_official_head_never_gives_up_a_patient():
    outputs = torch.linspace(-50, 200, 2001, dtype=torch.float64)
    survive = official_log_probabilities(outputs)[0].exp()
    assert survive.min() >= 1 / math.e - 1e-12 and survive.max() <= 1
    assert (survive.diff() <= 1e-15).all()  # it falls as the output grows
    assert survive[-1].item() == pytest.approx(1 / math.e, rel=1e-12)
    logistic = logistic_log_probabilities(outputs)[0].exp()
    assert logistic[-1] < 1e-80  # the plain hazard has no such bound


@pytest.mark.parametrize("outputs", [torch.linspace(-12, 12, 97), torch.linspace(6.85, 6.95, 50)])
def test_the_official_head_in_float32_equals_the_formula_in_float64(outputs):
    double = outputs.double()
    survive = torch.sigmoid(double) ** torch.exp(double)
    log_survive, log_die = official_log_probabilities(outputs)
    torch.testing.assert_close(log_survive.double(), survive.log(), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(log_die.double(), torch.log1p(-survive), rtol=1e-5, atol=1e-6)


def test_the_literal_formula_breaks_in_float32_where_ours_does_not():
    outputs = torch.tensor([20.0, 90.0])
    literal = torch.sigmoid(outputs) ** torch.exp(outputs)
    assert (literal - 1 / math.e).abs().min() > 0.1
    torch.testing.assert_close(official_log_probabilities(outputs)[0], torch.full((2,), -1.0))


@pytest.mark.parametrize("link", sorted(LINKS))
def test_log_probabilities_stay_finite_with_finite_gradients(link):
    outputs = torch.tensor([-1e4, -200.0, -90.0, -1.0, 0.0, 1.0, 90.0, 200.0, 1e4], requires_grad=True)
    survive, die = LINKS[link](outputs)
    assert survive.isfinite().all() and die.isfinite().all()
    (survive + die).sum().backward()
    assert outputs.grad.isfinite().all()
    both = survive.exp() + die.exp()
    torch.testing.assert_close(both, torch.ones_like(both))


@pytest.mark.parametrize("link", sorted(LINKS))
def test_gradients_of_the_heads_are_right(link):
    outputs = torch.tensor([-30.0, -7.0, -0.5, 0.5, 6.5, 7.5, 30.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: sum(LINKS[link](x)), outputs, eps=1e-6, atol=1e-6)


def test_hazards_are_probabilities_of_dying_in_an_interval():
    network = SurvivalNetwork(FixedFeatures(), intervals=4)
    outputs = torch.tensor([[0.0, math.log(3), -math.log(3), 0.0]])
    torch.testing.assert_close(network.hazards(outputs), torch.tensor([[0.5, 0.75, 0.25, 0.5]]))
    network.head = "official"
    torch.testing.assert_close(network.hazards(outputs)[0, 0], torch.tensor(0.5))
    assert network.hazards(torch.full((1, 4), 50.0)).max() <= 1 - 1 / math.e + 1e-6


def test_a_cox_head_is_one_number_without_a_constant():
    network = SurvivalNetwork(FixedFeatures(), head="cox")
    images = torch.randn(5, 3, 2, 2, 2)
    assert network(images).shape == (5, 1)
    torch.testing.assert_close(network(images * 0), torch.zeros(5, 1))
    with pytest.raises(UserError, match="no hazards by interval"):
        network.hazards(network(images))


def test_clinical_values_stand_behind_the_image_features():
    network = SurvivalNetwork(FixedFeatures(), intervals=2, clinical_features=2)
    images, clinical = torch.randn(4, 3, 2, 2, 2), torch.randn(4, 2)
    joined = torch.cat([images.mean(dim=(2, 3, 4)), clinical], dim=1)
    torch.testing.assert_close(network(images, clinical), network.fc(joined))


@pytest.mark.parametrize(
    "features, clinical, what",
    [
        (0, torch.zeros(4, 2), "takes 0 clinical values per patient and got shape"),
        (2, None, "takes 2 clinical values per patient and got none"),
        (2, torch.zeros(4, 3), "takes 2"),
        (2, torch.zeros(3, 2), "for 4 patients"),
    ],
)
def test_clinical_values_that_do_not_fit_are_explained(features, clinical, what):
    network = SurvivalNetwork(FixedFeatures(), clinical_features=features)
    with pytest.raises(UserError, match=what):
        network(torch.zeros(4, 3, 2, 2, 2), clinical)


@pytest.mark.parametrize("backbone", sorted(SMALL))
@pytest.mark.parametrize("head, outputs", [("logistic", 19), ("official", 19), ("cox", 1)])
def test_every_backbone_takes_every_head_at_odd_sizes(backbone, head, outputs):
    network = survival_network(backbone, head=head, in_channels=2, **SMALL[backbone])
    images = torch.randn(2, 2, 33, 39, 45)
    result = network(images)
    assert result.shape == (2, outputs)
    result.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert network.eval()(images[:1]).shape == (1, outputs)


@pytest.mark.parametrize("backbone", sorted(SMALL))
def test_the_published_size_runs_on_one_volume(backbone):
    network = survival_network(backbone).eval()
    assert network.fc.in_features == FULL_SIZE_FEATURES[backbone]
    with torch.no_grad():
        assert network(torch.randn(1, 4, 29, 40, 40)).shape == (1, 19)


def test_densenet_with_our_mean_equals_monais():
    from monai.networks.nets import DenseNet121

    official = DenseNet121(spatial_dims=3, in_channels=2, out_channels=5, **SMALL["densenet121"]).eval()
    network = SurvivalNetwork(DenseNetFeatures(in_channels=2, **SMALL["densenet121"]), intervals=5).eval()
    network.backbone.features.load_state_dict(official.features.state_dict())
    network.fc.load_state_dict(official.class_layers.out.state_dict())
    images = torch.randn(2, 2, 40, 36, 33)
    torch.testing.assert_close(network(images), official(images))


def test_densenet_says_how_small_an_image_may_be():
    network = DenseNetFeatures(in_channels=1, **SMALL["densenet121"]).eval()
    assert network(torch.randn(1, 1, 29, 29, 29)).shape == (1, network.num_features)
    with pytest.raises(UserError, match="sides of 29 voxels or more and got \\(29, 28, 40\\)"):
        network(torch.randn(1, 1, 29, 28, 40))


@pytest.mark.parametrize(
    "options, what",
    [
        ({"backbone": "vgg"}, "unknown survival backbone 'vgg'"),
        ({"head": "weibull"}, "unknown survival head 'weibull'"),
    ],
)
def test_unknown_names_are_explained(options, what):
    with pytest.raises(UserError, match=what):
        survival_network(**{"backbone": "densenet121", **SMALL["densenet121"], **options})


def test_a_densenet_that_pads_sees_a_small_head_in_a_border_of_its_darkest_value():
    torch.manual_seed(0)
    network = DenseNetFeatures(in_channels=2, init_features=4, growth_rate=2, block_config=(1, 1, 1, 1), pad=True)
    image = torch.rand(2, 2, 24, 28, 29) - 3
    by_hand = image.amin(dim=(2, 3, 4), keepdim=True).expand(2, 2, 29, 29, 29).clone()
    by_hand[:, :, 2:26, :28] = image
    with torch.no_grad():
        torch.testing.assert_close(network(image), network(by_hand))
        assert not torch.allclose(network(image), network(torch.nn.functional.pad(image, (0, 0, 0, 1, 2, 3))))


def test_what_the_auxiliary_layer_tells_stands_behind_the_outputs_where_it_is_asked_for():
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Flatten(), nn.Linear(8, 5))
    backbone.num_features = 5
    network = SurvivalNetwork(backbone, intervals=3, auxiliary=2)
    image = torch.randn(4, 1, 2, 2, 2)
    outputs, both = network(image), network(image, auxiliary=True)
    assert outputs.shape == (4, 3) and both.shape == (4, 5)
    assert torch.equal(both[:, :3], outputs)
    assert torch.equal(both[:, 3:], network.auxiliary(backbone(image)))
    assert SurvivalNetwork(backbone, intervals=3)(image, auxiliary=True).shape == (4, 3)
