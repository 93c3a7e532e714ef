"""The group of commands; each is imported when it is called."""

from __future__ import annotations

import importlib
import os

import click

from musicu import __version__
from musicu.threads import ONE_EACH

#: Headings of `musicu --help`: for each command its module, and one line.
_GROUPS = {
    "catalog": {
        "embed": ("embed", "Turn a folder, list or table of music into a catalog of vectors."),
        "scan": ("embed", "Read tags or tables into a catalog, without decoding audio."),
        "describe": ("describe", "Measure tempo, key, loudness and more."),
        "join": ("join", "Match dumps and tables of others to a catalog."),
        "audit": ("audit", "Check for duplicates, damaged files and wrong tags."),
        "info": ("inspect", "Summarise a catalog."),
        "failures": ("inspect", "List the tracks that failed, and why."),
        "watch": ("watch", "Keep a catalog and its shelves up to date with a folder."),
        "demo": ("demo", "Make a small catalog of synthetic music, to try musicu."),
    },
    "find": {
        "similar": ("search", "List the tracks most similar to a track."),
        "index": ("index", "Build an index for more vectors than fit in memory."),
        "candidates": ("candidates", "Find tracks for listeners, with scores and reasons."),
        "next": ("next", "Continue a session, a playlist or a listener's history."),
        "shelf": ("shelves", "Build a shelf around a track, or by another recipe."),
        "shelves": ("shelves", "Build a page of shelves, for a listener or for anyone."),
    },
    "learn": {
        "listens": ("listens", "Read listening histories and match them to a catalog."),
        "feedback": ("feedback", "Keep what listeners were shown and what they did with it."),
        "forget": ("forget", "Remove a listener from a catalog and from what it learned."),
        "taste": ("taste", "Describe listeners' interests in words."),
        "train": ("train", "Train models on your own music."),
        "models": ("inspect", "List models, show a card, or set a catalog's default model."),
    },
    "measure": {
        "evaluate": ("evaluate", "Measure models and candidates, with confidence intervals."),
        "judge": ("judge", "Compare two models in a blind listening test."),
        "experiment": ("experiment", "Plan, assign and analyse controlled experiments."),
    },
    "share": {
        "serve": ("serve", "Serve a catalog over HTTP, and learn from what listeners do."),
        "map": ("map", "Draw a catalog as an interactive map with named regions."),
        "playlist": ("playlist", "Convert a playlist, match its tracks, collect its files."),
        "push": ("push_and_pull", "Publish a catalog on an object store."),
        "pull": ("push_and_pull", "Fetch a catalog from an object store, or what changed there."),
        "export": ("inspect", "Write a catalog as one Parquet, CSV, NumPy or safetensors file."),
        "completion": ("inspect", "Print the completion script for your shell."),
    },
}
_COMMANDS = {name: command for group in _GROUPS.values() for name, command in group.items()}

#: Commands whose own threads or processes have all of the processor at work, or whose products
#: are small: threads then cost three times the processor time. So a file's descriptors are also
#: the same to the last digit as in a catalog.
_OWN_THREADS = (["candidates"], ["describe"], ["serve"], ["train", "tracks"])

#: What Arrow allocates with: the tables of a million tracks take 80 MB less than with mimalloc.
_ALLOCATOR = ("ARROW_DEFAULT_MEMORY_POOL", "system")


class _LazyGroup(click.Group):
    """A group that knows its commands' names, and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        os.environ.setdefault(*_ALLOCATOR)
        module = importlib.import_module(f"musicu.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if any(args[: len(words)] == words for words in _OWN_THREADS):
            for name, one in ONE_EACH.items():
                os.environ.setdefault(name, one)  # before NumPy is imported
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, _COMMANDS))
        for heading, commands in _GROUPS.items():
            with formatter.section(heading.capitalize()):
                rows = [(name.ljust(width), text) for name, (_, text) in commands.items()]
                formatter.write_dl(rows)


@click.group(
    name="musicu",
    cls=_LazyGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "show_default": True,
    },
)
@click.version_option(__version__, "-V", "--version", prog_name="musicu")
def app() -> None:
    """Listen to a music catalog and say what belongs together.

    \b
    musicu embed ~/Music -o catalog
    musicu similar catalog "Artist - Title"
    musicu shelf catalog --like "Artist - Title" --html shelf.html

    Results go to standard output, messages to standard error. Exit codes: 0 done, 1 an error or
    some tracks failed, 2 wrong usage, 130 stopped by Ctrl-C. Running a command again is safe:
    finished work is skipped.
    """
