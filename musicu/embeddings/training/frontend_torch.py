"""The front end in torchaudio, for training on the fly; equal to `frontend` to 1e-4."""

from __future__ import annotations

import torch
import torchaudio

from musicu.embeddings import frontend


class MelPower(torch.nn.Module):
    """Mel power of sound at 22,050 Hz, as `frontend.mel_power`, over batches and on any device."""

    def __init__(self) -> None:
        super().__init__()
        self.spectrogram = torchaudio.transforms.MelSpectrogram(
            sample_rate=frontend.SAMPLE_RATE,
            n_fft=frontend.N_FFT,
            hop_length=frontend.HOP,
            f_min=frontend.LOW_HZ,
            f_max=frontend.HIGH_HZ,
            n_mels=frontend.N_MELS,
            power=2.0,
            center=False,  # frames wholly inside the sound
            norm="slaney",
            mel_scale="slaney",
        )

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """float32 [batch, n] to float32 [batch, frames, bands]; n is 2,048 samples or more."""
        power: torch.Tensor = self.spectrogram(samples)
        return power.transpose(-1, -2)


def level_free_log(power: torch.Tensor) -> torch.Tensor:
    """As `frontend.level_free_log`: float32 [..., frames, bands], gain removed."""
    mean = power.mean(dim=(-2, -1), keepdim=True, dtype=torch.float64)
    relative = power / mean.clamp_min(1e-12).to(power.dtype)
    return (torch.log10(relative + frontend.FLOOR) - frontend.CENTRE) / frontend.SPREAD
