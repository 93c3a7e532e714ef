"""Several processes that train one network, as torchrun starts them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist

_T = TypeVar("_T")
_PATIENCE = timedelta(days=1)  # rank 0 may have a whole catalog to decode


@dataclass(frozen=True, slots=True)
class Workers:
    """This process among `count`; rank 0 writes the files."""

    rank: int = 0
    count: int = 1

    @staticmethod
    def join(device: str) -> Workers:
        """The group that torchrun's environment names; alone where there is none.

        On GPUs each process takes the one of its place on its machine.
        """
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return Workers()
        on_gpu = device.startswith("cuda")
        if on_gpu:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        if not dist.is_initialized():
            dist.init_process_group("nccl" if on_gpu else "gloo", timeout=_PATIENCE)
        return Workers(dist.get_rank(), count)

    def in_turn(self, work: Callable[[], _T]) -> _T:
        """Let rank 0 do a work that leaves files, then the others, who find it done."""
        mine = work() if self.rank == 0 else None
        self.wait()
        return work() if mine is None else mine

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            dist.barrier()

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Make every process's gradients the mean over all; alone, nothing."""
        if self.count == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:  # the same collective calls in every process
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)
            parameter.grad /= self.count
