"""What a few numbers of the annotated tumour say without a network: the baseline that a network has to pass.

    log volume, then mean and standard deviation of each channel inside the tumour → logistic regression

A network that a volume and a mean grey value equal has shown nothing yet.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from medattn_lite.data.dataset import Sample


def tumour_features(sample: Sample) -> np.ndarray:
    """Computes features of a sample's tumour.

    Args:
        sample: `image` (C, D, H, W), normalised, and `mask` (1, D, H, W), tumour wherever above 0; without one, no
            voxel is.

    Returns:
        (1 + 2 C,): natural logarithm of 1 + the tumour's volume in mL (in voxels where their size is unknown), mean
        and standard deviation by channel; the last two NaN without a tumour.
    """
    mask = sample.get("mask")
    inside = torch.zeros(sample["image"].shape[1:], dtype=torch.bool) if mask is None else mask[0] > 0
    size = sample["meta"].get("voxel_size_mm", sample["meta"].get("spacing_mm"))
    volume = float(inside.sum()) * (1.0 if size is None else float(np.prod(size)) / 1000)
    values = sample["image"][:, inside].double()  # (C, voxels)
    if not values.shape[1]:
        return np.array([np.log1p(volume), *[np.nan] * 2 * len(values)])
    moments = torch.stack([values.mean(1), values.std(1, unbiased=False)], dim=1)  # (C, 2)
    return np.array([np.log1p(volume), *moments.flatten().tolist()])


class FeatureLogistic(nn.Module):
    """Logistic regression on features, fitted by scikit-learn instead of steps along gradients."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(features), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(1), requires_grad=False)

    def fit(self, features: Tensor, labels: np.ndarray) -> None:
        """Sets the weights (a unit ridge on standardised features); one class alone leaves them at 0.

        Args:
            features: (N, K), standardised.
            labels: (N,) of 0 and 1.
        """
        from sklearn.linear_model import LogisticRegression

        if len(set(labels.tolist())) < 2:
            return
        fitted = LogisticRegression(C=1.0).fit(features.double().numpy(), labels)
        self.weight.copy_(torch.from_numpy(fitted.coef_[0]))
        self.bias.copy_(torch.from_numpy(fitted.intercept_))

    def fit_raw(self, features: Tensor, labels: np.ndarray) -> None:
        """Sets the weights for features that are not standardised: a unit ridge on their z-scores.

        Args:
            features: (N, K).
            labels: (N,) of 0 and 1.
        """
        mean, spread = features.mean(0), features.std(0, unbiased=False)
        spread = torch.where(spread > 0, spread, 1.0)
        self.fit((features - mean) / spread, labels)
        self.weight.div_(spread)
        self.bias.sub_(mean @ self.weight)

    def forward(self, features: Tensor) -> Tensor:
        """(B, K) to logits (B, 2)."""
        logit = features @ self.weight + self.bias  # (B,)
        return torch.stack([torch.zeros_like(logit), logit], dim=1)


class ImageWithFeatures(nn.Module):
    """What an image adds to the features: logits = regression on the features, fixed, + a network's logits.

    The network's last linear layer starts at 0, so that the sum starts as the regression alone, and every step away
    from it is something that the image said.

    Args:
        image: network whose last linear layer gives (B, 2) logits.
        features: regression that is fitted already.
    """

    def __init__(self, image: nn.Module, features: FeatureLogistic) -> None:
        super().__init__()
        self.image, self.features = image, features
        last = [module for module in image.modules() if isinstance(module, nn.Linear)][-1]
        nn.init.zeros_(last.weight)
        if last.bias is not None:
            nn.init.zeros_(last.bias)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """Images (B, C, D, H, W) and standardised features (B, K) to logits (B, 2)."""
        return self.features(features) + self.image(x)
