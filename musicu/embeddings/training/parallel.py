"""Several processes that train one network, as torchrun starts them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist


@dataclass(frozen=True, slots=True)
class Workers:
    """This process among `count`; rank 0 writes the files."""

    rank: int = 0
    count: int = 1

    @staticmethod
    def join(device: str) -> Workers:
        """The group that torchrun's environment names; alone where there is none."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return Workers()
        if not dist.is_initialized():
            dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        return Workers(dist.get_rank(), count)

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Make every process's gradients the mean over all; alone, nothing."""
        if self.count == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:  # the same collective calls in every process
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)
            parameter.grad /= self.count
