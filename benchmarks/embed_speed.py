"""How fast music becomes vectors: musicu against decoding alone, librosa, and an ONNX peer.

    python benchmarks/embed_speed.py                         # made recordings of three minutes
    python benchmarks/embed_speed.py FILE... --parts decode stats audio
    python benchmarks/embed_speed.py --parts jobs growth --sizes 100 1000 10000
    python benchmarks/embed_speed.py --parts decode audio peer [--peer MODEL.onnx]

Prints Markdown tables. Each way from file to vector runs in a process of its own on one thread,
over the same files, once to warm up and then --repeats times; the times are processor seconds, so
that other programs disturb them little, and the best of the repeats. The peer is MusiCNN as
`musicnn_graph.py` builds it, with random weights, on ONNX Runtime; or any ONNX model whose one
input is a log-mel spectrogram, float32 [patches, 187, 96], made in its way: 16 kHz, FFT 512, hop
256, 96 bands, log10(1 + 10,000 mel). Patches of 187 frames lie side by side, and the whole file is
heard, one patch after another.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from plotted import add_out, write_plot

SINGLE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
WAYS = {
    "decode": "libsndfile, the whole file",
    "stats": "musicu-stats-v1",
    "audio": "musicu-audio-v2",
    "audio-v1": "musicu-audio-v1",
    "librosa": "librosa statistics",
    "peer": "MusiCNN (or --peer), ONNX Runtime",
}
MADE = {"mp3": ("MP3", "MPEG_LAYER_III"), "ogg": ("OGG", "VORBIS"), "flac": ("FLAC", "PCM_16"),
        "opus": ("OGG", "OPUS")}  # fmt: skip
RATE = 44_100


def main() -> None:
    options = _options()
    if options.way:
        print(json.dumps(_whole_run(options) if options.way == "run" else _measure(options)))
        return
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        files = options.files or list(_make(Path(folder) / "music", options.seconds))
        print(_machine())
        panels = _compare(files, options)
        if options.out and panels:
            write_plot(
                options.out,
                "A file to a vector, beside decoding it and other tools",
                "Seconds of processor time, one thread.",
                panels,
                ours=[WAYS["stats"], WAYS["audio"], WAYS["audio-v1"]],
                better="low",
            )
        if "jobs" in options.parts:
            _jobs(files, Path(folder), options)
        if "growth" in options.parts:
            _growth(Path(folder), options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--parts", nargs="+", choices=[*WAYS, "jobs", "growth"],
                        default=["decode", "stats", "audio", "librosa"])  # fmt: skip
    parser.add_argument("--seconds", type=float, default=180.0, help="Of made recordings.")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer", type=Path, help="An ONNX model in place of MusiCNN.")
    parser.add_argument("--model", default="musicu-audio-v2", help="For jobs.")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--copies", type=int, default=8, help="Of each file, for jobs.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--way", choices=[*WAYS, "run"], help=argparse.SUPPRESS)
    add_out(parser)
    return parser.parse_args()


def _make(folder: Path, seconds: float) -> Iterator[Path]:
    """The same made music, stereo, in the formats that libsndfile writes here."""
    import numpy as np
    import soundfile as sf

    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    time_ = np.arange(round(seconds * RATE)) / RATE
    beats = np.exp(-8.0 * (time_ % 0.5)) * rng.standard_normal(len(time_)) * 0.2
    tones = sum(np.sin(2 * np.pi * 110 * 2 ** (k / 4) * time_) / (k + 1) for k in range(6))
    steps = np.repeat(rng.uniform(0.2, 1.0, len(time_) // RATE + 1), RATE)[: len(time_)]
    left = 0.2 * steps * tones + beats
    stereo = np.stack([left, 0.8 * left + 0.02 * rng.standard_normal(len(time_))], axis=1)
    for ending, (kind, coding) in MADE.items():
        if coding in sf.available_subtypes(kind):
            rate = 48_000 if coding == "OPUS" else RATE
            path = folder / f"made.{ending}"
            with sf.SoundFile(path, "w", rate, 2, coding, format=kind) as file:
                for start in range(0, len(stereo), RATE):  # Vorbis overflows on one large block
                    file.write(stereo[start : start + RATE])
            yield path


def _machine() -> str:
    names = ("numpy", "scipy", "soundfile", "onnxruntime", "librosa", "pyarrow")
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python " + (
        f"{platform.python_version()}, " + ", ".join(f"{n} {_version(n)}" for n in names)
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


# One way over one file, in a process of its own.


def _compare(files: Sequence[Path], options: argparse.Namespace) -> dict[str, dict[str, float]]:
    panels: dict[str, dict[str, float]] = {}
    ways = [way for way in WAYS if way in options.parts]
    if not ways:
        return panels
    print("\n| file | way | processor s | times real time | files/s | against decoding | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for path in files:
        whole = None
        for way in ways:
            told = _ask(path, way, options)
            if "absent" in told:
                print(f"| {path.name} | {WAYS[way]} | {told['absent']} | | | | |")
                continue
            spent = told["seconds"]
            whole = spent if way == "decode" else whole
            share = f"{spent / whole:.2f}" if whole else ""
            print(
                f"| {path.name} | {WAYS[way]} | {spent:.3f} | {told['audio'] / spent:,.0f} "
                f"| {1 / spent:.1f} | {share} | {told['peak']:.0f} |",
                flush=True,
            )
            panels.setdefault(path.name, {})[WAYS[way]] = spent
    return panels


def _ask(path: Path, way: str, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, str(path), "--way", way]
    command += ["--repeats", str(options.repeats)]
    if options.peer:
        command += ["--peer", str(options.peer)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **SINGLE}
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    import soundfile as sf

    (path,) = options.files
    try:
        do = _way(options)
    except ImportError as error:
        return {"absent": f"absent ({error.name})"}
    times = []
    for _ in range(options.repeats + 1):
        began = time.process_time()
        do(path)
        times.append(time.process_time() - began)
    return {"seconds": min(times[1:]), "audio": sf.info(path).duration, "peak": _peak_mb()}


def _peak_mb() -> float:
    """The most memory that this process had; 0 where the system does not tell.

    Linux carries `ru_maxrss` over from the process that started this one; VmHWM it does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.findall(r"VmHWM:\s+(\d+)", status.read_text())[0]) / 1024
    if sys.platform == "win32":
        return 0.0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)


def _way(options: argparse.Namespace) -> Callable[[Path], object]:
    if options.way == "decode":
        return _decode
    if options.way == "librosa":
        import librosa

        return lambda path: _librosa(librosa, path)
    if options.way == "peer":
        return _peer(options.peer)
    from musicu import Embedder, read_audio

    embedder = Embedder.load(WAYS[options.way])
    return lambda path: embedder.embed(read_audio(path, embedder.sample_rate, embedder.windows))


def _decode(path: Path) -> None:
    import soundfile as sf

    with sf.SoundFile(path) as file:
        while len(file.read(65_536, dtype="float32")):
            pass


def _librosa(librosa: Any, path: Path) -> Any:
    """The usual statistics: means and deviations of MFCC, chroma, contrast and shape; tempo."""
    import numpy as np

    sound, rate = librosa.load(path, sr=22_050)
    features = [
        librosa.feature.mfcc(y=sound, sr=rate, n_mfcc=20),
        librosa.feature.chroma_stft(y=sound, sr=rate),
        librosa.feature.spectral_contrast(y=sound, sr=rate),
        librosa.feature.spectral_centroid(y=sound, sr=rate),
        librosa.feature.spectral_bandwidth(y=sound, sr=rate),
        librosa.feature.spectral_rolloff(y=sound, sr=rate),
        librosa.feature.zero_crossing_rate(sound),
    ]
    tempo = np.atleast_1d(librosa.feature.tempo(y=sound, sr=rate))
    return np.concatenate([f(x, axis=1) for x in features for f in (np.mean, np.std)] + [tempo])


def _peer(model: Path | None) -> Callable[[Path], object]:
    import numpy as np
    import onnxruntime as ort

    from musicu import read_audio
    from musicu.features.blocks import PowerBlocks
    from musicu.features.mel import mel_filterbank

    content = model.read_bytes() if model else _musicnn()
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = ort.InferenceSession(content, settings, ["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    bank = mel_filterbank(16_000, 512, 96, 0.0, 8_000.0)

    def embed(path: Path) -> Any:
        blocks = PowerBlocks(lambda power: power @ bank.T, 512, 256, 4096)
        blocks.update(read_audio(path, 16_000).samples)
        power = blocks.finish()
        logs = np.log10(1.0 + 10_000.0 * power).astype(np.float32)
        patches = logs[: len(logs) // 187 * 187].reshape(-1, 187, 96)
        found = [session.run(None, {name: patch[None]})[0] for patch in patches]
        return np.concatenate(found).mean(axis=0)

    return embed


def _musicnn() -> bytes:
    from musicnn_graph import musicnn_graph

    return musicnn_graph().SerializeToString()


# Whole runs.


def _jobs(files: Sequence[Path], scratch: Path, options: argparse.Namespace) -> None:
    """Runs over copies of the files that differ in their sound's hash, with 1 to N workers."""
    music = scratch / "copies"
    music.mkdir()
    for path in files:
        for i in range(options.copies):
            _stamped_copy(path, music / f"{path.stem} {i}{path.suffix}", i)
    print(f"\n{options.model}, {len(list(music.iterdir()))} files:\n")
    print("| jobs | wall s | processor s, workers | of the parent | files/s | against one job |")
    print("|---|---|---|---|---|---|")
    first = None
    for jobs in options.jobs:
        told = _run(music, scratch / f"jobs {jobs}", options.model, jobs)
        first = first or told["wall"] * jobs
        print(
            f"| {jobs} | {told['wall']:.1f} | {told['workers']:.1f} | {told['parent']:.2f} "
            f"| {told['tracks'] / told['wall']:.1f} | {first / told['wall']:.2f} |",
            flush=True,
        )


def _stamped_copy(path: Path, copy: Path, number: int) -> None:
    """The same sound but for its first second, which is quieter by a little."""
    import soundfile as sf

    with sf.SoundFile(path) as file:
        kind, coding, rate, channels = file.format, file.subtype, file.samplerate, file.channels
        with sf.SoundFile(copy, "w", rate, channels, coding, format=kind) as out:
            out.write(file.read(rate, dtype="float32") * (1 - 0.01 * number))
            while len(block := file.read(rate, dtype="float32")):
                out.write(block)


def _whole_run(options: argparse.Namespace) -> dict[str, Any]:
    """`musicu embed` as a whole, and what it took (POSIX)."""
    import resource

    from musicu.pipeline.run import EmbedOptions, run

    music, out = options.files
    began, spent = time.monotonic(), time.process_time()
    report = run(music, out, model=options.model, options=EmbedOptions(jobs=options.jobs[0]))
    workers = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall": time.monotonic() - began,
        "parent": time.process_time() - spent,
        "workers": workers.ru_utime + workers.ru_stime,
        "tracks": report.tracks,
        "known": report.known,
        "parent_mb": _peak_mb(),
        "worker_mb": workers.ru_maxrss / 1024,
    }


def _run(music: Path, out: Path, model: str, jobs: int) -> dict[str, Any]:
    """One run of `musicu embed` in a process of its own (POSIX)."""
    command = [sys.executable, __file__, str(music), str(out), "--way", "run"]
    command += ["--model", model, "--jobs", str(jobs)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _growth(scratch: Path, options: argparse.Namespace) -> None:
    """First and second runs over ever more files of one second, each with a sound of its own."""
    import numpy as np
    import soundfile as sf

    print("\nOne-second files, musicu-stats-v1, 1 job; ms of processor time a file:\n")
    print("| files | first run | second run | parent MB | worker MB |\n|---|---|---|---|---|")
    music = scratch / "short"
    rng = np.random.default_rng(0)
    made = 0
    for size in sorted(options.sizes):
        for i in range(made, size):
            folder = music / f"{i // 100:04d}"
            folder.mkdir(parents=True, exist_ok=True)
            sound = rng.integers(-9999, 9999, 22_050, np.int16)
            sf.write(folder / f"{i:06d}.wav", sound, 22_050, subtype="PCM_16")
        made = size
        out = scratch / f"growth {size}"
        told = [_run(music, out, "musicu-stats-v1", 1) for _ in range(2)]
        assert told[1]["known"] == size
        each = [1000 * (run["parent"] + run["workers"]) / size for run in told]
        print(
            f"| {size:,} | {each[0]:.2f} (parent {1000 * told[0]['parent'] / size:.2f}) "
            f"| {each[1]:.3f} | {told[0]['parent_mb']:.0f} | {told[0]['worker_mb']:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
