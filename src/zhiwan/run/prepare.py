"""What a data folder needs before its processes start: schema, static files, the place, accounts, a way in.

Every step looks first whether it has been done, so that a warm start costs little.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.utils import timezone

from zhiwan.city.api.scopes import SCOPES
from zhiwan.city.files import private_file
from zhiwan.city.packs_loaded import packs, place
from zhiwan.city.people import audit, guard
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.actions import create_link, create_user
from zhiwan.city.people.auditing.retention import make_months
from zhiwan.city.people.auditing.signing import HeadsNotWritable, sign_heads
from zhiwan.city.people.lines import work_out_lines
from zhiwan.city.people.models import Post, User
from zhiwan.city.people.purposes import purpose_book
from zhiwan.city.people.ways_in import limits, machines, passwords, recovery
from zhiwan.city.registry.actions import set_owner
from zhiwan.city.registry.duties import assign_lines, duties
from zhiwan.city.registry.place import compute_zone_members
from zhiwan.city.registry.place import load_place as save_place
from zhiwan.city.watch.models import Heartbeat
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.guard.chain import sm3
from zhiwan.run.backups.restoring import RESTORED
from zhiwan.run.folder import DataFolder


class NoSuchAccount(InputRefused):
    code = "RUN-010"
    fact = 'there is no account "{name}"'
    detail = "Accounts: {known}."
    hint = "Name one of them: zhiwan link NAME"


@dataclass(frozen=True)
class Prepared:
    """What `up` tells the person."""

    link: str
    phone_link: str  # empty without --lan
    zone: str  # of the place: whose night it is


def data_folder() -> DataFolder:
    return DataFolder(Path(settings.ZHIWAN_DATA))


def migrate(verbosity: int = 1) -> None:
    """Brings the schema to this version, as the owner of the tables."""
    alias = "owner" if "owner" in settings.DATABASES else "default"
    call_command("migrate", database=alias, interactive=False, verbosity=verbosity)


def prepare(*, demo: bool, tell: Callable[[str], None]) -> Prepared:
    """Everything between the servers and the first process, in one: every process costs seconds of a warm start."""
    migrate(verbosity=0)
    tell("schema is of this version")
    keep_audit(tell)
    note_restore()
    collect_static()
    tell("static files are ready")
    load_place()
    forget_signs_of_life()
    accounts = make_accounts()
    tell("place and accounts are loaded")
    by_hand = load_demo() if demo else {}
    if demo:
        tell("demonstration is loaded")
    write_demo_file(accounts=accounts, by_hand=by_hand)
    phone_link = sign_in_link(phone=True) if os.environ.get("ZHIWAN_LAN_ADDRESS") else ""
    return Prepared(link=sign_in_link(), phone_link=phone_link, zone=settings.TIME_ZONE)


def keep_audit(tell: Callable[[str], None]) -> None:
    """Months made ahead, heads signed. Without SM3 nothing could be recorded, hence nothing be done: told at once."""
    sm3(b"")
    now = timezone.now()
    make_months(process="cli", at=now)
    try:
        tell(f"audit heads are signed with the public key {sign_heads(process='cli', at=now).key}")
    except HeadsNotWritable as problem:
        tell(str(problem))  # the city starts; its pages show that nothing is signed


def note_restore() -> None:
    """A place that was put here from a backup says so in its own audit, at its first start."""
    told = data_folder().path / RESTORED
    if not told.exists():
        return
    found = json.loads(told.read_text(encoding="utf-8"))
    with acting_system("cli"):
        guard.require("backup.restore")
        audit.record("backup.restore", f"backup:{found['id']}", at=timezone.now(), after=found)
    told.unlink()


def forget_signs_of_life() -> None:
    """What processes of a former run told says nothing of the ones that start now."""
    with acting_system("cli"):
        Heartbeat.objects.all().delete()


def collect_static() -> None:
    """Hashed and compressed copies of all static files, again only when one of them changed."""
    found = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            found.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    stamp = Path(settings.STATIC_ROOT) / ".stamp"
    if stamp.exists() and stamp.read_text(encoding="ascii") == found.hexdigest():
        return
    # Before the first collection the settings fall back to serving the sources: collecting needs the real storage.
    settings.STORAGES["staticfiles"] = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(found.hexdigest(), encoding="ascii")


def load_place() -> None:
    """Areas, zones, bodies and posts of the configured place; skipped while its folder is unchanged.

    Lines of duty name classes, which are packs: those are worked out at every start, for another set of packs.
    """
    declared = place()
    purpose_book()  # a register that cannot be used stops the start, not the first reveal
    if not _changed("place", declared.model_dump_json()):
        with acting_system("cli"):
            work_out_lines()
            assign_lines(duties())
        return
    with acting_system("cli"):
        save_place(declared=declared)
    _remember("place", declared.model_dump_json())


def make_accounts() -> list[dict[str, str]]:
    """The accounts that the place declares, with random passwords. Known ones keep what demo.json says of them."""
    known = {account["name"]: account for account in data_folder().read_demo().get("accounts", [])}
    given = {
        account.name: str(known.get(account.name, {}).get("password") or _password())
        for account in place().demo.accounts
    }
    made = []
    with acting_system("cli"):
        there = set(User.objects.filter(username__in=given).values_list("username", flat=True))
        hashed = _hashed({name: password for name, password in given.items() if name not in there})
        for account in place().demo.accounts:
            posts = list(Post.objects.filter(id__in=account.posts))
            password = given[account.name]
            user = User.objects.filter(username=account.name).first()
            if user is None:
                create_user(
                    name=account.name,
                    display_name=account.display,
                    password=password,
                    language=account.language,
                    posts=posts,
                    hashed=hashed[account.name],
                )
            elif account.name not in known:  # demo.json is gone: the old passwords are known to nobody
                passwords.note_new(user, password, timezone.now())
                audit.record("people.set_password", f"user:{user.username}", at=timezone.now())
            made.append({"name": account.name, "password": password, "role": posts[0].role})
    return made


def _hashed(new: dict[str, str]) -> dict[str, str]:
    """By name. A hash takes a quarter of a second on purpose; on two cores two are made at once."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(new, pool.map(make_password, new.values()), strict=True))


def _password() -> str:
    """At random, and by the rules that hold for every password."""
    while passwords.sorts_in(found := secrets.token_urlsafe(12)) < limits.at(timezone.now()).password_classes:
        pass
    return found


def load_demo() -> dict[str, str]:
    """Entities, devices and two days of the demonstration; secrets by id of the devices that no simulator drives."""
    from zhiwan.run.simulator.load import load_district

    by_hand = load_district(packs(), place(), data_folder().path)
    with acting_system("cli"):
        compute_zone_members()
        for one in place().demo.owners:
            set_owner(entity_ids=one.things, body=one.body)
    return by_hand


def write_demo_file(*, accounts: list[dict[str, str]], by_hand: dict[str, str]) -> None:
    """`demo.json`: what a newcomer, or a test, needs to come in by every door.

    `device` is the first by id of those that nobody drives: whichever packs there are, hand-0001 stays it.
    """
    folder = data_folder()
    before = folder.read_demo()
    by_hand = by_hand or before.get("by_hand", {})
    device = next(({"id": id, "secret": secret} for id, secret in sorted(by_hand.items())), before.get("device"))
    body: dict[str, Any] = {
        "url": _url(),
        "mqtt_port": int(os.environ.get("ZHIWAN_MQTT_PORT", "1883")),
        "token": _working(before.get("token")) or _new_token(),
        "accounts": accounts,
        "device": device,
        "by_hand": by_hand,
    }
    if body != before:
        private_file(folder.demo_file, json.dumps(body, ensure_ascii=False, indent=2) + "\n")


def _working(key: str | None) -> str:
    """A key that demo.json names, unless it has ended meanwhile."""
    return key if key and machines.find(key, address=None, at=timezone.now()) else ""


def _new_token() -> str:
    with acting_system("cli"):
        post = Post.objects.filter(role="duty_chief").first() or Post.objects.get(id=place().posts[0].id)
        return machines.create(title="demo.json", post=post, scopes=SCOPES)[1]


def sign_in_link(name: str = "", *, phone: bool = False, recover: bool = False) -> str:
    """A new one-time link for an account, by default the first declared; `phone`: from other machines too.

    `recover`: behind it a new password is chosen and the second factor enrolled anew. It is the last way in, for the
    person at the machine, when no administrator can give such a link.
    """
    declared = [account.name for account in place().demo.accounts]
    wanted = name or (declared[0] if declared else "")
    user = User.objects.filter(username=wanted, is_active=True).first()
    if user is None:
        known = User.objects.filter(phone=None).order_by("username").values_list("username", flat=True)
        raise NoSuchAccount(name=wanted, known=", ".join(known) or "none")
    with acting_system("cli"):
        if recover:
            return f"{_url()}/in/{recovery.give_link(user=user, without_second=True, anywhere=phone)}"
        return f"{_url()}/in/{create_link(user=user, minutes=10 if phone else 15, anywhere=phone)}"


def _url() -> str:
    return os.environ.get("ZHIWAN_URL", "http://127.0.0.1:8000")


def _stamp_file(name: str) -> Path:
    return data_folder().path / "secrets" / f"{name}.stamp"


def _changed(name: str, content: str) -> bool:
    file = _stamp_file(name)
    return not file.exists() or file.read_text(encoding="ascii") != hashlib.sha256(content.encode()).hexdigest()


def _remember(name: str, content: str) -> None:
    private_file(_stamp_file(name), hashlib.sha256(content.encode()).hexdigest())
