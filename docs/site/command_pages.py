"""The reference of commands, from click."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click


def page() -> str:
    """Every command with its usage, help and options, in the groups of `musicu --help`."""
    from musicu.cli.app import _GROUPS, app

    lines = ["# Commands", "", "What `musicu COMMAND --help` says, for all commands.", ""]
    with click.Context(app, info_name="musicu") as context:
        for heading, names in _GROUPS.items():
            lines += [f"## {heading.capitalize()}", ""]
            for name in names:
                command = app.get_command(context, name)
                assert command is not None
                lines += _command(command, _within(command, context, name), 3)
                for words, further in _handed_to(name):
                    lines += _command(further, _within(further, context, words), 4)
    return "\n".join(lines)


def _handed_to(name: str) -> Iterator[tuple[str, click.Command]]:
    """What `musicu evaluate` hands over to by its first word."""
    if name == "evaluate":
        from musicu.cli.evaluate_candidates import candidates
        from musicu.cli.evaluate_policy import policy

        yield "evaluate candidates", candidates
        yield "evaluate policy", policy


def _command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    path = context.command_path
    yield from (f"{'#' * level} {path}", "", _prose(command.help or ""), "")
    yield from ("```text", f"{path} {' '.join(command.collect_usage_pieces(context))}", "```", "")
    options = [
        record for parameter in command.get_params(context)
        if isinstance(parameter, click.Option) and "--help" not in parameter.opts
        if (record := parameter.get_help_record(context))
    ]  # fmt: skip
    if options:
        yield from ("| option | |", "|---|---|")
        yield from (f"| `{_cell(name)}` | {_cell(told)} |" for name, told in options)
        yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from _command(found, _within(found, context, name), level + 1)


def _within(command: click.Command, parent: click.Context, name: str) -> click.Context:
    return click.Context(command, parent, name, show_default=True)


def _prose(text: str) -> str:
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(_paragraph(paragraph) for paragraph in paragraphs)


def _paragraph(text: str) -> str:
    if text.startswith("\b"):  # lines that click keeps as they are
        kept = text.removeprefix("\b").strip("\n").removeprefix("Example: ")
        return f"```text\n{kept}\n```"
    if text.startswith("Example: "):
        return "```text\n" + " ".join(text.removeprefix("Example: ").split()) + "\n```"
    return text.replace("*", r"\*").replace("<", "&lt;")


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ").replace("<", "&lt;")
