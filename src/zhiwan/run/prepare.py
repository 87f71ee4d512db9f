"""What a data folder needs before its processes start: schema, static files, the place, accounts, a way in.

Every step looks first whether it has been done, so that a warm start costs little.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

from zhiwan.city.files import private_file
from zhiwan.city.packs_loaded import packs, place
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.actions import create_link, create_token, create_user
from zhiwan.city.people.lines import work_out_lines
from zhiwan.city.people.models import Post, User
from zhiwan.city.registry.actions import set_owner
from zhiwan.city.registry.duties import assign_lines, duties
from zhiwan.city.registry.place import compute_zone_members
from zhiwan.city.registry.place import load_place as save_place
from zhiwan.city.watch.models import Heartbeat
from zhiwan.kernel.facts.errors import InputRefused
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
    collect_static()
    tell("static files are ready")
    load_place()
    forget_signs_of_life()
    accounts = make_accounts()
    tell("place and accounts are loaded")
    device = load_demo() if demo else None
    if demo:
        tell("demonstration is loaded")
    write_demo_file(accounts=accounts, device=device)
    phone_link = sign_in_link(phone=True) if os.environ.get("ZHIWAN_LAN_ADDRESS") else ""
    return Prepared(link=sign_in_link(), phone_link=phone_link)


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
    made = []
    with acting_system("cli"):
        for account in place().demo.accounts:
            posts = list(Post.objects.filter(id__in=account.posts))
            password = str(known.get(account.name, {}).get("password") or secrets.token_urlsafe(12))
            user = User.objects.filter(username=account.name).first()
            if user is None:
                create_user(
                    name=account.name,
                    display_name=account.display,
                    password=password,
                    language=account.language,
                    posts=posts,
                )
            elif account.name not in known:  # demo.json is gone: the old passwords are known to nobody
                user.set_password(password)
                user.save(update_fields=["password"])
            made.append({"name": account.name, "password": password, "role": posts[0].role})
    return made


def load_demo() -> dict[str, str] | None:
    """Entities, devices and two days of the demonstration; {id, secret} of the one device that no simulator drives."""
    from zhiwan.run.simulator.load import load_district

    device = load_district(packs(), place(), data_folder().path)
    with acting_system("cli"):
        compute_zone_members()
        for one in place().demo.owners:
            set_owner(entity_ids=one.things, body=one.body)
    return device


def write_demo_file(*, accounts: list[dict[str, str]], device: dict[str, str] | None) -> None:
    """`demo.json`: what a newcomer, or a test, needs to come in by every door."""
    folder = data_folder()
    before = folder.read_demo()
    body: dict[str, Any] = {
        "url": _url(),
        "mqtt_port": int(os.environ.get("ZHIWAN_MQTT_PORT", "1883")),
        "token": before.get("token") or _new_token(),
        "accounts": accounts,
        "device": device or before.get("device"),
    }
    if body != before:
        private_file(folder.demo_file, json.dumps(body, ensure_ascii=False, indent=2) + "\n")


def _new_token() -> str:
    with acting_system("cli"):
        post = Post.objects.filter(role="duty_chief").first() or Post.objects.get(id=place().posts[0].id)
        return create_token(title="demo.json", post=post)


def sign_in_link(name: str = "", *, phone: bool = False) -> str:
    """A new one-time link for an account, by default the first declared; `phone`: from other machines too."""
    declared = [account.name for account in place().demo.accounts]
    wanted = name or (declared[0] if declared else "")
    user = User.objects.filter(username=wanted, is_active=True).first()
    if user is None:
        known = User.objects.order_by("username").values_list("username", flat=True)
        raise NoSuchAccount(name=wanted, known=", ".join(known) or "none")
    with acting_system("cli"):
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
