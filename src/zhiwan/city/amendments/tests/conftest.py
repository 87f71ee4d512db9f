"""The small city of watch's tests with a parameter, two duty chiefs, and a lake of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from trial_pack import words
from zhiwan.city import packs_loaded
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.actions import create_user
from zhiwan.city.people.models import User
from zhiwan.city.watch.tests import surge
from zhiwan.kernel.bus.memory import MemoryBus
from zhiwan.kernel.packs.models import Pack, Parameter, Rule
from zhiwan.kernel.packs.packset import PackSet

RULE, FAST, LIMIT = surge.RULE, "governance.surge.fast", "governance.surge.flow_limit"
As = Callable[..., AbstractContextManager[Any]]


def pack(when: str = "value > limit", **rule: Any) -> Pack:
    """surge.PACK with an unlatched rule, and one on the flow that is held against a parameter."""
    high = surge.PACK.rules[0].model_dump(mode="json") | {"when": when, "latched": False} | rule
    fast = high | {"id": "fast", "watch": "Gauge.flow", "when": "value > :flow_limit", "raises": None, "proposes": None}
    parameter = {
        "id": "flow_limit", "title": words("flow limit"), "unit": "m3/s",
        "in_force": [{"from": "2012-01-01", "value": 20, "source": "order 1"}],
    }  # fmt: skip
    return surge.PACK.model_copy(
        update={
            "rules": [Rule.model_validate(high), Rule.model_validate(fast)],
            "parameters": [Parameter.model_validate(parameter)],
        }
    )


def use(monkeypatch: pytest.MonkeyPatch, found: Pack) -> None:
    """This process begins anew with this pack."""
    monkeypatch.setattr(packs_loaded, "load_packs", lambda roots: PackSet.of([found]))
    packs_loaded.forget()


@pytest.fixture(autouse=True)
def _city(transactional_db: None, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.ZHIWAN_DATA = tmp_path
    use(monkeypatch, pack())
    surge.found_city()
    packs_loaded.use_bus(MemoryBus())
    with acting_system("cli"):
        for name in ("lin", "zhou"):
            create_user(name=name, display_name=name, password=None, posts=[surge.post("chief")])
        create_user(name="desk", display_name="desk", password=None, posts=[surge.post("desk")])
    yield
    packs_loaded.forget()
    packs_loaded.use_bus(None)


@pytest.fixture
def as_() -> As:
    """Act as a person: as_("lin"), as_("desk", post="desk")."""

    def make(name: str, post: str = "chief", **more: Any) -> AbstractContextManager[Any]:
        return acting(surge.post(post), user=User.objects.get(username=name), **more)

    return make
