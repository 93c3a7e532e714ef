"""Mixed precision: which numbers the network computes in; losses are always float32."""

from __future__ import annotations

import torch

from musicu.errors import ModelError

PRECISIONS = ("auto", "float32", "bfloat16", "float16")


def compute_type(precision: str, device: str) -> torch.dtype:
    """The type of a recipe's `precision` on a device.

    auto: float32 on a CPU; on a GPU bfloat16, or float16 where it knows no bfloat16.
    Raises ModelError for a name that is none of PRECISIONS.
    """
    if precision not in PRECISIONS:
        raise ModelError(f"precision is {precision!r}; known: {', '.join(PRECISIONS)}")
    if precision != "auto":
        kind: torch.dtype = getattr(torch, precision)
        return kind
    if not device.startswith("cuda"):
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def casting(precision: str, device: str) -> torch.autocast:
    """The context in which the network runs."""
    kind = compute_type(precision, device)
    mixed = kind != torch.float32
    return torch.autocast(device.split(":")[0], kind if mixed else torch.bfloat16, enabled=mixed)


def scaler_for(precision: str, device: str) -> torch.amp.GradScaler:
    """Keeps small gradients of float16 from vanishing (Micikevicius et al., ICLR 2018).

    For the other types it passes everything through.
    """
    small = compute_type(precision, device) == torch.float16
    return torch.amp.GradScaler(device.split(":")[0], enabled=small)
