"""The group of commands; each is imported when it is called."""

from __future__ import annotations

import importlib
import os

import click

from musicu import __version__
from musicu.threads import ONE_EACH

#: name: (module, what `musicu --help` says of it)
_COMMANDS = {
    "embed": ("embed", "Turn a folder, list or table of music into a catalog of vectors."),
    "scan": ("embed", "Read tags into a catalog, without decoding."),
    "describe": ("describe", "Say what files sound like, in numbers; or describe a catalog."),
    "similar": ("search", "List the tracks nearest to a track."),
    "shelf": ("shelves", "Build a shelf around a track, or by another recipe."),
    "shelves": ("shelves", "Build a page of shelves, for a listener or for anybody."),
    "map": ("map", "Draw a catalog as a map to listen to, its regions named."),
    "listens": ("listens", "Read listening logs and playlists, for a catalog."),
    "candidates": ("candidates", "Find new and deep tracks for listeners, with reasons."),
    "taste": ("taste", "Say in words what listeners like."),
    "info": ("inspect", "Say what is in a catalog."),
    "failures": ("inspect", "Say which tracks failed, and why."),
    "watch": ("watch", "Keep a catalog and its shelves up to date while music arrives."),
    "judge": ("judge", "Ask listeners, blind, which of two models is better."),
    "playlist": ("playlist", "Convert a playlist, find its tracks, gather its files."),
    "audit": ("audit", "Find copies, damage, and tags that cannot be right."),
    "export": ("inspect", "Write a catalog as one Parquet, CSV, NumPy or safetensors file."),
    "models": ("inspect", "List the models, or show one's card."),
    "evaluate": ("evaluate", "Measure models on a labelled catalog, with intervals."),
    "train": ("train", "Train models on one's own music."),
    "demo": ("demo", "Make music, a catalog and a shelf, to see it all work."),
    "completion": ("completion", "Print the completion script of your shell."),
}


#: Commands whose own threads or processes have all of the processor at work. So a file's
#: descriptors are also the same to the last digit as in a catalog.
_OWN_THREADS = frozenset({"candidates", "describe"})


class _LazyGroup(click.Group):
    """A group that knows its commands' names, and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        if cmd_name in _OWN_THREADS:
            for name, one in ONE_EACH.items():
                os.environ.setdefault(name, one)
        module = importlib.import_module(f"musicu.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    name="musicu",
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="musicu")
def app() -> None:
    """Listen to a music catalog and say what belongs together.

    \b
    musicu embed ~/Music -o catalog
    musicu similar catalog "Artist - Title"
    musicu shelf catalog --like "Artist - Title" --html shelf.html

    Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 some
    tracks failed or an error, 2 wrong usage. Running a command again is safe.
    """
