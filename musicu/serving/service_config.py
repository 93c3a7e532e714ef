"""How a service runs: what the command line says, else the environment, else a TOML file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from musicu.errors import QueryError
from musicu.policies.policy import POLICIES
from musicu.records import check_count

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Before the name of a setting, in capitals, in the environment: MUSICU_SERVE_TOKEN.
VARIABLE_PREFIX = "MUSICU_SERVE_"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """The settings of a service.

    host, port: where it listens. token: what a client must show to write; "" lets nobody write.
    read_only: write nothing, beside another service that does. model: whose vectors are used;
    None: the catalog's default model. upload_model: name or folder of the model that embeds
    uploads; None: the same, where it reads sound. upload_roots: folders whose files may be named
    in an upload. upload_bytes, upload_seconds: how large an upload may be, and how long it may
    take, to arrive as to be decoded. upload_workers: processes that decode. waiting_uploads: how
    many may wait for them. body_bytes: of any other request. batch_events: in one request.
    requests_per_second: of one address without the token. page_size: tracks on a shelf.
    policy: by which the order of a page's shelves is explored, of `POLICIES`. new_days: how long a
    release is new. retention_days: how long exposures and outcomes are kept; 0: always.
    cors_origins: web pages of elsewhere that may call. hosts: names under which the service may be
    called, any where it listens beyond this computer and none are given.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    token: str = ""
    read_only: bool = False
    model: str | None = None
    upload_model: str | None = None
    upload_roots: tuple[str, ...] = ()
    upload_bytes: int = 200_000_000
    upload_seconds: float = 60.0
    upload_workers: int = 1
    waiting_uploads: int = 32
    body_bytes: int = 8_000_000
    batch_events: int = 10_000
    requests_per_second: int = 1_000
    page_size: int = 12
    policy: str = "epsilon-greedy"
    new_days: int = 90
    retention_days: int = 0
    cors_origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        for name in _COUNTS:
            check_count(name, getattr(self, name))
        if not 0 <= self.port < 65_536:
            raise QueryError(f"port is {self.port}: it goes from 0 to 65535")
        if not self.upload_seconds > 0:
            raise QueryError(f"upload_seconds is {self.upload_seconds}: it must be above 0")
        POLICIES.make(self.policy)

    @classmethod
    def read(
        cls, file: Path | None, environment: Mapping[str, str], given: Mapping[str, Any]
    ) -> ServiceConfig:
        """The settings of a TOML file, under those of the environment, under those given.

        Values of None are not given. Raises QueryError for a setting that there is not, or a value
        that it does not take.
        """
        values = {} if file is None else _of_file(file)
        for name in _KINDS:
            text = environment.get(VARIABLE_PREFIX + name.upper())
            if text is not None:
                values[name] = _of_text(name, text)
        values |= {name: value for name, value in given.items() if value not in (None, ())}
        return cls(**values)

    @property
    def is_loopback(self) -> bool:
        """Whether only this computer can reach the service."""
        return self.host in _LOOPBACK

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """The names by which it may be called; none: any.

        A web page of elsewhere can have its own name lead here (DNS rebinding), and would be
        taken for one of ours.
        """
        return frozenset(self.hosts or (_LOOPBACK if self.is_loopback else ()))


_KINDS = {field.name: str(field.type) for field in fields(ServiceConfig)}
_FROM_ZERO = ("port", "retention_days")
_PYTHON: dict[str, Any] = {"int": int, "float": (int, float), "bool": bool}
_COUNTS = [name for name, kind in _KINDS.items() if kind == "int" and name not in _FROM_ZERO]


def _of_file(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise QueryError(f"{file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise QueryError(f"{file} is no TOML: {error}") from error
    return {name: _typed(name, value, str(file)) for name, value in values.items()}


def _of_text(name: str, text: str) -> Any:
    """A setting of the environment: lists are separated by commas."""
    kind, where = _KINDS[name], f"the environment's {VARIABLE_PREFIX}{name.upper()}"
    if kind.startswith("tuple"):
        return tuple(part for part in text.split(",") if part)
    if kind == "bool":
        return _typed(name, _TRUTHS.get(text.lower(), text), where)
    if kind in ("int", "float"):
        try:
            return _typed(name, int(text) if kind == "int" else float(text), where)
        except ValueError:
            raise QueryError(f"{where} is {text!r}: it takes a number") from None
    return text


def _typed(name: str, value: Any, where: str) -> Any:
    kind = _KINDS.get(name)
    if kind is None:
        raise QueryError(f"{where} has no setting {name!r}: {', '.join(_KINDS)}")
    if kind.startswith("tuple"):
        fits = isinstance(value, list) and all(isinstance(part, str) for part in value)
        value = tuple(value) if fits else value
    else:
        fits = isinstance(value, _PYTHON.get(kind, str)) and (
            kind == "bool" or not isinstance(value, bool)
        )
    if not fits:
        raise QueryError(f"{where}: {name} is {value!r}, which is not what it takes")
    return value
