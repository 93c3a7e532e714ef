"""Help texts: grouped, in plain English, each with an example that its command accepts."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from musicu.cli.app import _GROUPS, app
from musicu.cli.evaluate_candidates import candidates as evaluate_candidates
from musicu.cli.evaluate_policy import policy as evaluate_policy

#: The files that examples name, made before their command lines are parsed.
FILES = ["listens.parquet", "playlists.csv", "users.csv", "results.csv", "party.m3u8", "song.flac"]
FILES += ["charts.csv"]
#: Phrases that need a second reading, and the private words that standard terms have replaced.
OLD_PHRASES = [
    "unless told",
    "told otherwise",
    "told of",
    "decides all",
    "those last added",
    "last added",
    "draws near",
    "drawn together",
    "where there is none",
    "anybody",
    "is heard once",
    "hear whole",
    "interestarrays",
    "asked for",
    "to be had",
    "who went on",
    "its kin",
    "a name or id a line",
    "goes before it",
    "one's own",
    "floods",
]


def commands(command: click.Command, words: str) -> Iterator[tuple[str, click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, f"{words} {name}")


COMMANDS = {
    **dict(commands(app, "musicu")),
    "musicu evaluate candidates": evaluate_candidates,
    "musicu evaluate policy": evaluate_policy,
}


def parse(
    command: click.Command, name: str, words: list[str], parent: click.Context | None = None
) -> click.Context:
    """The context in which a command line would run."""
    context = command.make_context(name, words, parent)
    if not isinstance(command, click.Group):
        return context
    name, *rest = [*context._protected_args, *context.args]
    found = command.get_command(context, name)
    assert found is not None
    return parse(found, name, rest, context)


def example_of(command: click.Command) -> list[str]:
    return re.findall(r"^\s*Example: (.*)$", command.help or "", re.MULTILINE)


def test_help_has_a_heading_for_each_group() -> None:
    text = app.get_help(click.Context(app))
    headings = re.findall(r"^([A-Z]\w+):$", text, re.MULTILINE)
    assert headings == ["Options", "Catalog", "Find", "Learn", "Measure", "Share"]


def test_every_command_is_in_exactly_one_group() -> None:
    counts = Counter(name for group in _GROUPS.values() for name in group)
    assert set(counts.values()) == {1}
    assert list(counts) == app.list_commands(click.Context(app))
    text = app.get_help(click.Context(app))
    for name in counts:
        assert len(re.findall(rf"^  {name} ", text, re.MULTILINE)) == 1


def test_each_command_has_one_short_line() -> None:
    for group in _GROUPS.values():
        for name, (_, line) in group.items():
            assert line.endswith("."), name
            assert len(line) <= 68, name


@pytest.mark.parametrize("words", [words for words in COMMANDS if words != "musicu"])
def test_the_example_of_a_command_is_accepted(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By click's parser alone: nothing runs."""
    for name in FILES:
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    (example,) = example_of(COMMANDS[words])
    assert example.startswith(words + " ")
    parsed = parse(app, "musicu", shlex.split(example)[1:])
    assert parsed.command is COMMANDS[words] or isinstance(COMMANDS[words], click.Group)


@pytest.mark.parametrize("words", COMMANDS)
def test_help_uses_no_old_phrase(words: str) -> None:
    command = COMMANDS[words]
    texts = [command.help or ""]
    texts += [p.help or "" for p in command.params if isinstance(p, click.Option)]
    for text in texts:
        plain = re.sub(r"\s+", " ", text).lower()
        assert not [phrase for phrase in OLD_PHRASES if phrase in plain], text


@pytest.mark.parametrize("words", COMMANDS)
def test_every_option_has_a_sentence(words: str) -> None:
    for option in COMMANDS[words].params:
        if isinstance(option, click.Option):
            assert option.help, option.name
            assert re.match(r"[A-Z0-9]|tsne|--", option.help), option.help
            assert option.help.endswith((".", ")")), option.help
