"""The network of a next-item transformer (torch, the extra `train`)."""

from __future__ import annotations

import torch
from torch import nn

from musicu.sequences.transformer_settings import TransformerSettings

_SMALL = 0.02  # standard deviation of the values that embeddings begin with
MASKED = -1e9


class SequenceTransformer(nn.Module):
    """Causal self-attention over the items of a history.

    After SASRec (Kang and McAuley, ICDM 2018), with a learned bias by distance for each head in
    place of positions: what counts is how long ago an item was played.
    """

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(AttentionBlock(settings) for _ in range(settings.layers))
        self.first = nn.LayerNorm(settings.dim)
        self.last = nn.LayerNorm(settings.dim)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        """Item vectors, float [sessions, length, dim], to states of the same shape."""
        states = self.dropout(self.first(items))
        for block in self.blocks:
            states = block(states)
        found: torch.Tensor = self.last(states)
        return found


class AttentionBlock(nn.Module):
    """Attention and a feed-forward layer, each normalised first and added to its input."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        dim = settings.dim
        self.heads = settings.heads
        self.scale = (dim // settings.heads) ** -0.5
        self.attention_norm, self.wide_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.distance = nn.Parameter(torch.zeros(settings.heads, settings.length))
        self.wide, self.narrow = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """States to states, float [sessions, length, dim]."""
        states = states + self.dropout(self._attended(self.attention_norm(states)))
        wide = nn.functional.gelu(self.wide(self.wide_norm(states)))
        found: torch.Tensor = states + self.dropout(self.narrow(self.dropout(wide)))
        return found

    def bias(self, length: int) -> torch.Tensor:
        """What each place adds to its attention to each other: float [heads, length, length]."""
        place = torch.arange(length)
        ago = place[:, None] - place[None, :]
        return self.distance[:, ago.clamp(min=0)].masked_fill(ago < 0, MASKED)

    def _attended(self, states: torch.Tensor) -> torch.Tensor:
        count, length, dim = states.shape
        parts = self.qkv(states).reshape(count, length, 3, self.heads, dim // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        agreement = query @ key.transpose(-2, -1) * self.scale + self.bias(length)
        weights = self.dropout(agreement.softmax(-1))
        found: torch.Tensor = self.out((weights @ value).transpose(1, 2).reshape(states.shape))
        return found


class ItemVectors(nn.Module):
    """An item's vector: a projection of its content plus an embedding of its own."""

    def __init__(
        self, items: int, content: torch.Tensor | None, settings: TransformerSettings
    ) -> None:
        super().__init__()
        self.own = nn.Parameter(_SMALL * torch.randn(items, settings.dim))
        self.id_dropout = 0.0 if content is None else settings.id_dropout
        self.content = content
        self.projection = None
        if content is not None:
            self.projection = nn.Linear(content.shape[1], settings.dim, bias=False)
            nn.init.normal_(self.projection.weight, std=_SMALL)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """float [..., dim] for rows, int64 [...]; in training some lack their own embedding."""
        own = self.own[rows]
        if self.projection is None or self.content is None:
            return own
        if self.training:
            own = own * (torch.rand(*rows.shape, 1) >= self.id_dropout)
        found: torch.Tensor = own + self.projection(self.content[rows])
        return found
