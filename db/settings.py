"""The one reader of configuration: `overread.toml`, then `OVERREAD_*` variables, read once.

Settings say where Overread runs; what it computes is said by specifications (`db.domain.specs`).
"""

import os
import secrets
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile
from tomllib import TOMLDecodeError
from typing import ClassVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from db.domain.errors import InputError

KEY_BYTES = 32


class Settings(BaseSettings):
    """Where Overread keeps its things and how it serves them."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix="OVERREAD_", toml_file="overread.toml", extra="forbid", frozen=True
    )

    home: Path = Field(
        Path("var"),
        description="Folder of the embedded database, the store and the keys.",
    )
    db: str = Field("", description="SQLAlchemy URL of the records; empty means SQLite in `home`.")
    store: Path | None = Field(
        None,
        description="Folder of films, masks, maps and checkpoints; default `home`/store.",
    )
    keys: Path | None = Field(
        None,
        description="Folder of the secret keys, outside every backup; default `home`/keys.",
    )
    secret_key: SecretStr | None = Field(
        None, description="Key that signs sessions; `overread doctor --init` makes one."
    )
    host: str = Field("127.0.0.1", description="Address that `overread serve` listens on.")
    port: int = Field(
        8000,
        description="Port that `overread serve` listens on; 0 picks a free one.",
        ge=0,
        le=65535,
    )
    threads: int = Field(8, description="Threads of the web server.", ge=1)
    lease_minutes: float = Field(
        15,
        description="How long a comparison stays with a reader who does nothing.",
        gt=0,
    )
    idle_minutes: float = Field(
        10,
        description="After so long without pointer or key the reading screen locks.",
        gt=0,
    )
    old_secret_keys: tuple[SecretStr, ...] = Field(
        (),
        description="Session keys of before, as a JSON list: what they signed stays good while the key is changed.",
    )
    url_prefix: str = Field(
        "",
        description="Path below which a proxy shows the site, for example /overread.",
        pattern=r"^(/[\w.-]+)*$",
    )
    proxies: int = Field(
        0,
        description="Proxies in front whose X-Forwarded headers are believed.",
        ge=0,
        le=8,
    )
    local_metrics: bool = Field(
        False,
        description="Show /metrics to this machine without a token; not behind a proxy that `proxies` does not count.",
    )
    import_folders: tuple[Path, ...] = Field(
        (),
        description="Folders, as a JSON list, in which the dashboard finds folders of films; default `home`/incoming.",
    )
    connections: int = Field(200, description="Connections that the web server holds at once.", ge=1)
    secure_cookies: bool = Field(
        False,
        description="Send session cookies over HTTPS only; turn on behind a TLS proxy.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over variables, variables over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def database_url(self) -> str:
        """The URL to connect to."""
        return self.db or f"sqlite:///{self.home.resolve() / 'overread.sqlite'}"

    @property
    def store_folder(self) -> Path:
        """Root of the content-addressed store."""
        return self.store or self.home / "store"

    @property
    def runs_folder(self) -> Path:
        """Trained folds, each in a folder named by its KEY; like the store, one for all machines."""
        return self.store_folder / "runs"

    @property
    def reports_folder(self) -> Path:
        """The reports that the dashboard shows, one HTML file a campaign."""
        return self.home / "reports"

    @property
    def incoming(self) -> tuple[Path, ...]:
        """The folders below which folders of films may lie that the dashboard takes in."""
        return self.import_folders or (self.home / "incoming",)

    def job_folder(self, job_id: int) -> Path:
        """Where a job keeps what it needs while it runs, or until then; gone once it has ended."""
        return self.home / "jobs" / str(job_id)

    def job_log(self, job_id: int) -> Path:
        """Where the error output of a job's children goes."""
        return self.home / "logs" / f"job-{job_id}.log"

    @property
    def exports_folder(self) -> Path:
        """The exports that were asked for on the dashboard, a folder each."""
        return self.home / "exports"

    @property
    def key_folder(self) -> Path:
        """Where secret keys lie, readable by their owner only."""
        return self.keys or self.home / "keys"

    @cached_property
    def pseudonym_key(self) -> bytes:
        """The key behind patients' pseudonyms and date shifts; made at the first ingest."""
        return key_file(self.key_folder / "pseudonym.key")

    def session_key(self) -> str:
        """The key that signs sessions.

        Raises
        ------
        InputError
            If there is none, or it is shorter than 32 characters: there is no default secret.
        """
        path = self.key_folder / "session.key"
        key = self.secret_key.get_secret_value() if self.secret_key else path.read_text() if path.exists() else ""
        _require_length(key, hint="Set OVERREAD_SECRET_KEY, or run `overread doctor --init` to make one.")
        return key

    def old_session_keys(self) -> list[str]:
        """Keys of before, whose signatures still count.

        Raises
        ------
        InputError
            If one is shorter than 32 characters.
        """
        keys = [key.get_secret_value() for key in self.old_secret_keys]
        for key in keys:
            _require_length(key, hint="Name whole keys in OVERREAD_OLD_SECRET_KEYS.")
        return keys


def _require_length(key: str, *, hint: str) -> None:
    if len(key) < KEY_BYTES:
        msg = f"The session key has {len(key)} characters; at least {KEY_BYTES} are needed."
        raise InputError(msg, hint=hint)


def read_settings() -> Settings:
    """The settings that variables and file name.

    Raises
    ------
    InputError
        If one is unknown or of another kind. What it holds may be secret, so it is not told.
    """
    try:
        return Settings()
    except TOMLDecodeError as error:
        fault = f"{Settings.model_config['toml_file']} is no TOML: {error}"
    except ValidationError as error:
        fault = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    msg = f"The settings cannot be used. {fault}."
    raise InputError(msg, hint="The settings and their variables stand in docs/reference.md.")


def key_file(path: Path) -> bytes:
    """The key in `path`; a new random one is made, readable by its owner only, where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        with NamedTemporaryFile(dir=path.parent, prefix=".new-") as file:  # readable by its owner only
            file.write(secrets.token_hex(KEY_BYTES).encode())
            file.flush()
            os.fsync(file.fileno())
            with suppress(FileExistsError):  # another process was first: its key counts
                os.link(file.name, path)  # whole or not at all, and never over a key that is there
    return path.read_bytes()
