"""`musicu completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from musicu.cli.output import print_text


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the shell completion script for SHELL.

    \b
    Example: musicu completion bash

    \b
    bash: echo 'eval "$(musicu completion bash)"' >> ~/.bashrc
    zsh:  echo 'eval "$(musicu completion zsh)"' >> ~/.zshrc
    fish: musicu completion fish > ~/.config/fish/completions/musicu.fish
    """
    from musicu.cli.app import app

    found = get_completion_class(shell)
    assert found is not None
    print_text(found(app, {}, "musicu", "_MUSICU_COMPLETE").source())
