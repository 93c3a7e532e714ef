"""The passes of two public networks that know songs, which a student learns from.

mn04_as is EfficientAT's `mn04_as_mAP_432` (Schmid et al., ICASSP 2023; MIT, AudioSet), fcn_msd the
fully convolutional tagger of Won et al., "Evaluation of CNN-based automatic music tagging models"
(SMC 2020; MIT, Million Song Dataset). Their weights are files that the user names; nothing of them
is in the package. `python -m recipes.audio_v2.teachers FOLDER` compares the passes with the checks
that the files carry.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch.nn import functional

from musicu.errors import ModelError

Weights = dict[str, torch.Tensor]
Hear = Callable[[NDArray[np.float32]], Sequence[Any]]

RATE = 32_000  # Hz, of mn04's sound
FCN_RATE = 16_000
_EPS = 1e-3  # of mn04's batch normalisations


class _Block(NamedTuple):
    """An inverted residual block: kernel, stride, squeeze-and-excitation, hard-swish."""

    kernel: int
    stride: int
    squeezes: bool
    swish: bool


_BLOCKS = (
    _Block(3, 1, False, False), _Block(3, 2, False, False), _Block(3, 1, False, False),
    _Block(5, 2, True, False), _Block(5, 1, True, False), _Block(5, 1, True, False),
    _Block(3, 2, False, True), _Block(3, 1, False, True), _Block(3, 1, False, True),
    _Block(3, 1, False, True), _Block(3, 1, True, True), _Block(3, 1, True, True),
    _Block(5, 2, True, True), _Block(5, 1, True, True), _Block(5, 1, True, True),
)  # fmt: skip
_TOLD = (6, 12, 15)  # blocks whose maps are hints
_DIRECTIONS = 48  # of FCN's second block
_FCN_POOLS = ((2, 4), (2, 4), (2, 4), (3, 5), (4, 4))


class AudioSetTeacher:
    """mn04_as: sound at 32 kHz to what its last layers say."""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        w = load_file(path, device)
        self.check = {k: w.pop(k) for k in list(w) if k.startswith("check.")}
        self.weights = _folded(w, _EPS)
        self.window = torch.hann_window(800, periodic=False, device=device)

    def mel_power(self, sound: torch.Tensor) -> torch.Tensor:
        """Mel power float32 [batch, 128, frames], 100 frames a second, of [batch, n] at 32 kHz."""
        emphasised = sound[:, 1:] - 0.97 * sound[:, :-1]
        spectrum = torch.stft(
            emphasised, 1024, 320, 800, self.window, center=True, return_complex=True
        )
        mel: torch.Tensor = self.weights["mel.filters"] @ _power(spectrum)
        return mel

    def hear(self, mel: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """`hidden` [batch, 512], `pooled` [batch, 384] and logits [batch, 527] of mel power, and
        the maps [batch, channels, bands, frames] of blocks 6, 12 and 15.
        """
        w = self.weights
        x = ((torch.log(mel + 1e-5) + 4.5) / 5)[:, None]
        x = x.contiguous(memory_format=torch.channels_last)
        x = functional.hardswish(_convolve(x, w, "features.0.0", stride=2))
        maps = []
        for number, block in enumerate(_BLOCKS, start=1):
            x = _inverted_residual(x, w, f"features.{number}.block", block)
            maps += [x] if number in _TOLD else []
        x = functional.hardswish(_convolve(x, w, "features.16.0"))
        pooled = x.mean(dim=(2, 3))
        hidden = functional.hardswish(
            functional.linear(pooled, w["classifier.2.weight"], w["classifier.2.bias"])
        )
        logits = functional.linear(hidden, w["classifier.5.weight"], w["classifier.5.bias"])
        return hidden, pooled, logits, *maps


class TaggingTeacher:
    """fcn_msd: sound at 16 kHz to the layer before its tags."""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        w = load_file(path, device)
        self.check = {k: w.pop(k) for k in list(w) if k.startswith("check.")}
        self.weights = w
        self.layers = _folded(w, 1e-5)
        some = torch.randn(128, 128, generator=torch.Generator().manual_seed(5))
        self.directions = torch.linalg.qr(some)[0][:, :_DIRECTIONS].contiguous().to(device)

    def mel_power(self, sound: torch.Tensor) -> torch.Tensor:
        """Mel power float32 [batch, 96, frames], 62.5 frames a second, of [batch, n] at 16 kHz."""
        window = self.weights["spec.spectrogram.window"]
        spectrum = torch.stft(sound, 512, 256, 512, window, center=True, return_complex=True)
        return self.weights["spec.mel_scale.fb"].T @ _power(spectrum)

    def hear(self, mel: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """`hidden` [batch, 64], the maximum of the layer before [batch, 128], and the maps [batch,
        channels, bands, frames] of the second block, in 48 random directions, and of the third.

        mel: mel power [batch, 96, frames]. Of sound shorter than 29 s the layers hear what is
        there over and over: the last two poolings take all that is left of time.
        """
        w = self.weights
        x = 10 * torch.log10(mel.clamp_min(1e-10))[:, None]
        x = functional.batch_norm(
            x, w["spec_bn.running_mean"], w["spec_bn.running_var"],
            w["spec_bn.weight"], w["spec_bn.bias"],
        ).contiguous(memory_format=torch.channels_last)  # fmt: skip
        maps = []
        for number, (bands, frames) in enumerate(_FCN_POOLS, start=1):
            short = number > 3 and x.shape[3] < frames
            if short:
                x = torch.cat([x[..., -1:], x, x[..., :1]], dim=3)  # around in time
            x = functional.relu(_convolve(x, self.layers, f"layer{number}.conv"))
            if short:
                x = x[..., 1:-1]
            x = functional.max_pool2d(x, (bands, min(frames, x.shape[3])))
            maps.append(x)
        _, second, third, fourth, last = maps
        second = torch.einsum("ncbt,cd->ndbt", second, self.directions)
        return last.amax(dim=(2, 3)), fourth.amax(dim=(2, 3)), second, third


def _power(spectrum: torch.Tensor) -> torch.Tensor:
    parts = torch.view_as_real(spectrum)
    return parts[..., 0].square() + parts[..., 1].square()


def _folded(w: Weights, eps: float) -> Weights:
    """The weights with every batch normalisation inside the convolution before it."""
    folded = dict(w)
    for name in [k.removesuffix(".running_var") for k in w if k.endswith(".running_var")]:
        if name == "spec_bn":
            continue
        stem, _, last = name.rpartition(".")
        before = f"{stem}.conv" if last == "bn" else f"{stem}.{int(last) - 1}"
        scale = w[f"{name}.weight"] / torch.sqrt(w[f"{name}.running_var"] + eps)
        shift = w.get(f"{before}.bias", torch.zeros_like(scale)) - w[f"{name}.running_mean"]
        folded[f"{before}.weight"] = w[f"{before}.weight"] * scale[:, None, None, None]
        folded[f"{before}.bias"] = w[f"{name}.bias"] + shift * scale
    return folded


def _convolve(
    x: torch.Tensor, w: Weights, name: str, stride: int = 1, groups: int = 1
) -> torch.Tensor:
    kernel = w[f"{name}.weight"]
    return functional.conv2d(x, kernel, w[f"{name}.bias"], stride, kernel.shape[-1] // 2, 1, groups)


def _inverted_residual(x: torch.Tensor, w: Weights, name: str, block: _Block) -> torch.Tensor:
    """MobileNetV3's block (Howard et al. 2019); squeeze-and-excitation over channels."""
    parts = sorted({int(k[len(name) + 1 :].split(".")[0]) for k in w if k.startswith(f"{name}.")})
    act = functional.hardswish if block.swish else functional.relu
    y = x
    if len(parts) == 3 + block.squeezes:  # the first block does not expand
        y = act(_convolve(y, w, f"{name}.{parts.pop(0)}.0"))
    y = act(_convolve(y, w, f"{name}.{parts.pop(0)}.0", block.stride, y.shape[1]))
    if block.squeezes:
        layer = f"{name}.{parts.pop(0)}.conc_se_layers.0"
        inner = functional.relu(
            functional.linear(y.mean(dim=(2, 3)), w[f"{layer}.fc1.weight"], w[f"{layer}.fc1.bias"])
        )
        gate = torch.sigmoid(
            functional.linear(inner, w[f"{layer}.fc2.weight"], w[f"{layer}.fc2.bias"])
        )
        y = y * gate[:, :, None, None]
    y = _convolve(y, w, f"{name}.{parts.pop(0)}.0")
    return x + y if block.stride == 1 and x.shape == y.shape else y


def fast_hearing(teacher: AudioSetTeacher | TaggingTeacher, mel: torch.Tensor) -> Hear:
    """`teacher.hear` by ONNX Runtime on one thread, for mel power of this shape: a third of torch's
    time.
    """
    import onnxruntime as ort

    class Pass(torch.nn.Module):
        def forward(self, mel: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return teacher.hear(mel)

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    program = torch.onnx.export(Pass().eval(), (mel,), dynamo=True, verbose=False)
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    content = program.model_proto.SerializeToString()
    session = ort.InferenceSession(content, settings, ["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda mel: session.run(None, {name: mel})


def check(folder: Path) -> dict[str, float]:
    """The greatest differences from the stored outputs; ModelError where one is large."""
    tagger, taught = TaggingTeacher(folder / "fcn_msd.safetensors"), {}
    teacher = AudioSetTeacher(folder / "mn04_as.safetensors")
    with torch.inference_mode():
        mel = teacher.mel_power(teacher.check["check.sound"][None])
        names = ("hidden", "pooled", "logits")
        for name, found in zip(names, teacher.hear(mel), strict=False):
            taught[f"mn04 {name}"] = found[0] - teacher.check[f"check.{name}"]
        hidden, *_ = tagger.hear(tagger.mel_power(tagger.check["check.sound"][None]))
        taught["fcn hidden"] = hidden[0] - tagger.check["check.hidden"]
    apart = {name: float(difference.abs().max()) for name, difference in taught.items()}
    if max(apart.values()) > 1e-3:
        raise ModelError(f"{folder}: the teachers' passes differ from their checks: {apart}")
    return apart


if __name__ == "__main__":
    print(check(Path(sys.argv[1])))
