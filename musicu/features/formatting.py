"""Descriptors as text with units, for cards and pages."""

from __future__ import annotations

from collections.abc import Iterator

from musicu.features.descriptors import Descriptors


def format_descriptors(found: Descriptors) -> Iterator[tuple[str, list[str]]]:
    """Lines of a title and its values, the most important first; unknown values are left out."""
    yield "tempo", _tempo(found)
    yield (
        "key",
        _known(
            ("{}", found.key),
            ("Camelot {}", found.key_camelot),
            ("confidence {:.0%}", found.key_confidence if found.key else None),
            ("tuned {:+.0f} cents", found.tuning_cents),
        ),
    )
    yield (
        "loudness",
        _known(
            ("{:.1f} LUFS", found.loudness_lufs),
            ("range {:.1f} LU", found.loudness_range_lu),
            ("loudest 3 s {:.1f} LUFS", found.short_term_max_lufs),
        ),
    )
    over = " (over full scale)" if (found.true_peak_dbtp or 0.0) > 0.0 else ""
    yield (
        "peaks",
        _known(
            ("true peak {:+.1f} dBTP" + over, found.true_peak_dbtp),
            ("{:.1f} dB over the loudness", found.plr_db),
            ("crest {:.1f} dB", found.crest_db),
        ),
    )
    yield "stereo", _stereo(found)
    yield (
        "sound",
        _known(
            ("centroid {:.0f} Hz", found.brightness_hz),
            ("flatness {:.2f}", found.flatness),
            ("percussive {:.0%}", found.percussive_share),
        ),
    )
    yield (
        "activity",
        _known(
            ("{:.1f} onsets a second", found.onset_rate),
            ("energy {:.2f}", found.energy),
            ("danceability {:.2f}", found.danceability),
        ),
    )
    yield "voice", _known(("sung with probability {:.0%}", found.vocal_probability))
    yield (
        "ends",
        _known(
            ("{:.1f} s of silence before", _audible(found.silence_start_seconds)),
            ("{:.1f} s of silence after", _audible(found.silence_end_seconds)),
            ("fades out over {:.0f} s", found.fade_out_seconds or None),
        ),
    )


def _tempo(found: Descriptors) -> list[str]:
    if found.tempo_bpm is None:
        return []
    others = zip(
        found.tempo_alternatives_bpm or (), found.tempo_alternatives_relation or (), strict=True
    )
    return [
        f"{found.tempo_bpm:.1f} BPM",
        *_known(("confidence {:.0%}", found.tempo_confidence)),
        *(f"or {bpm:.1f} ({relation})" for bpm, relation in others),
        *_known(("{:.0%} steady", found.tempo_stability)),
    ]


def _stereo(found: Descriptors) -> list[str]:
    if found.stereo_width == 0.0:
        return ["mono"]
    return _known(
        ("width {:.2f}", found.stereo_width),
        ("correlation {:+.2f}", found.stereo_correlation),
        ("at worst {:+.2f}", found.stereo_correlation_low),
        ("in mono {:+.1f} dB", found.mono_change_db),
        ("left {:+.1f} dB", found.balance_db),
    )


def _audible(seconds: float | None) -> float | None:
    """Silence that does not round to 0.0 s, else None."""
    return seconds if seconds is not None and seconds >= 0.05 else None


def _known(*values: tuple[str, float | str | None]) -> list[str]:
    """Each known value in its format string."""
    return [words.format(value) for words, value in values if value is not None]
