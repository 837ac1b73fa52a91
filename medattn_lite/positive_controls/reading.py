"""The networks of the reading control: an encoder reads the scan's cells, a decoder writes the report's.

    h_i = GRU of the scan's cells, s_t = GRU of the report's cells, from the encoder's last state
    seq2seq   logit = head([Σ_i α_ti h_i ; s_t])         attention of notebook 01
    last      logit = head([h_N ; s_t])                  the last state, all that an old decoder gets
    mean      logit = head([mean of h ; s_t])            all states, without a choice

The last two have a wider GRU, so that they have at least as many parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from medattn_lite.attention import Seq2SeqAttention
from medattn_lite.errors import UserError

READERS = ("seq2seq", "last", "mean")


class ReadingNet(nn.Module):
    """Encoder and decoder over cells.

    Args:
        reader: "seq2seq", "last" or "mean".
        cell: pixels per side of a cell.
        features: width d of both GRUs.

    Raises:
        UserError: an unknown reader.
    """

    def __init__(self, reader: str = "seq2seq", *, cell: int = 6, features: int = 32) -> None:
        super().__init__()
        if reader not in READERS:
            raise UserError(f"a report cannot be written by {reader!r}: use one of {', '.join(READERS)}")
        self.reader = reader
        self.cell = cell
        self.embed = nn.Linear(cell * cell, features)
        self.encoder = nn.GRU(features, features, batch_first=True)
        self.decoder = nn.GRU(features, features, batch_first=True)
        self.attention = Seq2SeqAttention(features) if reader == "seq2seq" else None
        self.head = nn.Sequential(nn.Linear(2 * features, features), nn.ReLU(), nn.Linear(features, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, 2 · cell, N · cell) to logits (B, 1, 2 · cell, N · cell), equal within a cell of the report."""
        upper, lower = (self._cells(part) for part in x.chunk(2, dim=2))  # 2 × (B, N, d)
        states, last = self.encoder(upper)  # (B, N, d), (1, B, d)
        written, _ = self.decoder(lower, last)  # (B, N, d)
        logits = self.head(self._joined(written, states))  # (B, N, 1)
        row = logits.transpose(1, 2).repeat_interleave(self.cell, dim=2)  # (B, 1, N · cell)
        report = row.unsqueeze(2).expand(-1, -1, self.cell, -1)  # (B, 1, cell, N · cell)
        return torch.cat([torch.full_like(report, -8.0), report], dim=2)

    def _cells(self, row: Tensor) -> Tensor:
        cells = row.squeeze(1).unfold(2, self.cell, self.cell)  # (B, cell, N, cell)
        return torch.relu(self.embed(cells.transpose(1, 2).flatten(2)))  # (B, N, d)

    def _joined(self, written: Tensor, states: Tensor) -> Tensor:
        if self.attention is not None:
            return self.attention(written, states)  # (B, N, 2d)
        context = states[:, -1:] if self.reader == "last" else states.mean(dim=1, keepdim=True)
        return torch.cat([context.expand_as(written), written], dim=-1)  # (B, N, 2d)
