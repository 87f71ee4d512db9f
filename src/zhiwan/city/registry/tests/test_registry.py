"""Loading a place, keeping entities that fit their types, devices with secrets that are told once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zhiwan.city import packs_loaded
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.actions import digest
from zhiwan.city.people.guard import ActionForbidden
from zhiwan.city.people.models import Post
from zhiwan.city.registry import actions, queries
from zhiwan.city.registry.models import Area, ConnectionRefusal, Device, Entity, Zone
from zhiwan.city.registry.place import load_place
from zhiwan.city.watch.tests import surge
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.packs.place import load_place as read_place

pytestmark = pytest.mark.django_db(transaction=True)
PLACE = Path(__file__).parents[5] / "tests/places/yunwan"


@pytest.fixture
def pack(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(packs_loaded, "load_packs", lambda roots: PackSet.of([surge.PACK]))
    packs_loaded.forget()
    yield
    packs_loaded.forget()


@pytest.fixture
def place(pack: Any) -> Any:
    declared = read_place(PLACE)
    with acting_system("cli"):
        load_place(declared=declared)
    return declared


def draft(**facts: Any) -> actions.EntityDraft:
    base = {"id": "g-1", "type": "Gauge", "name": "闸一", "area": surge.EAST, "fields": {"limit": 3.3}}
    return actions.EntityDraft(**(base | facts))


def test_a_place_is_loaded_and_loaded_again(place: Any) -> None:
    with acting_system("cli"):
        counts = Area.objects.count(), Post.objects.count(), Zone.objects.count()
        assert counts == (len(place.areas), len(place.posts), len(place.zones))
        load_place(declared=place)
        assert counts == (Area.objects.count(), Post.objects.count(), Zone.objects.count())
        found = queries.current_place()
        assert found is not None
        west, south, east, north = found.bounds
        assert west < found.lon < east
        assert south < found.lat < north


def test_a_post_that_left_the_file_ends_and_is_not_deleted(place: Any) -> None:
    fewer = place.model_copy(update={"posts": place.posts[1:]})
    with acting_system("cli"):
        load_place(declared=fewer)
        assert Post.objects.get(id=place.posts[0].id).valid_to is not None


def test_only_a_process_loads_a_place(place: Any) -> None:
    with acting(Post.objects.filter(scope="district").first() or Post()), pytest.raises(ActionForbidden):
        load_place(declared=place)


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"id": "g 1"}, "the id must be"),
        ({"type": "Ghost"}, "no pack declares"),
        ({"area": "990101999"}, "not an area of this place"),
        ({"lon": 121.0}, "needs both"),
        ({"lon": 121.0, "lat": 91.0}, "decimal degrees"),
        ({"fields": {}}, "limit is required"),
        ({"fields": {"limit": "high"}}, "not a finite number"),
        ({"fields": {"limit": True}}, "not a finite number"),
        ({"fields": {"limit": float("nan")}}, "not a finite number"),
        ({"fields": {"limit": 1, "colour": "red"}}, 'has no field "colour"'),
        ({"fields": {"limit": 1, "kind": "lake"}}, "none of river, tide"),
        ({"fields": {"limit": 1, "since": "yesterday"}}, "not a date"),
    ],
)
def test_an_entity_that_does_not_fit_is_refused_with_all_that_came_with_it(
    pack: Any, facts: dict[str, Any], problem: str
) -> None:
    with acting_system("cli"):
        Area.objects.create(code=surge.EAST, level="town", name="东")
        with pytest.raises(actions.EntityRefused, match=problem):
            actions.save_entities(drafts=[draft(id="good"), draft(**facts)])
        assert not Entity.objects.exists()


def test_entities_links_and_devices(pack: Any) -> None:
    with acting_system("cli"):
        Area.objects.create(code=surge.EAST, level="town", name="东")
        drafts = [draft(fields={"limit": 3.3, "kind": "tide", "since": "2020-05-01"}), draft(id="g-2", name="闸二")]
        assert actions.save_entities(drafts=drafts) == 2
        actions.save_entities(drafts=[draft(name="闸一改")])
        actions.save_relations(relations=[("g-1", "beside", "g-2"), ("g-1", "beside", "g-2")])
        with pytest.raises(actions.RelationRefused, match="declares no link"):
            actions.save_relations(relations=[("g-1", "above", "g-2")])
        secrets = actions.create_devices(pairs=[("g-1", "g-1"), ("box-7", "g-2")])
        assert bytes(Device.objects.get(id="box-7").secret_hash) == digest(secrets["box-7"])
        assert Device.objects.get(id="box-7").town == surge.EAST
        for pair, problem in (
            (("g-1", "g-1"), "already"),
            (("a b", "g-1"), "form"),
            (("x", "nobody"), "not registered"),
        ):
            with pytest.raises(actions.DeviceRefused, match=problem):
                actions.create_devices(pairs=[pair])
        renewed = actions.renew_secret(device_id="box-7")
        assert bytes(Device.objects.get(id="box-7").secret_hash) == digest(renewed)
        detail = queries.entity_detail("g-1")
        assert detail is not None
        assert detail.row.name == "闸一改"
        assert [(link.link, link.entity.id, link.outgoing) for link in detail.links] == [("beside", "g-2", True)]
        other = queries.entity_detail("g-2")
        assert other is not None
        assert [(link.link, link.entity.id, link.outgoing) for link in other.links] == [("beside", "g-1", False)]
        assert [hit.id for hit in queries.search("闸")] == ["g-1", "g-2"]
        assert [(hit.kind, hit.entity) for hit in queries.search("box")] == [("device", "g-2")]
        assert queries.entities(area=surge.EAST, size=1).pages == 2


def test_refused_connections_are_counted_by_hour(pack: Any) -> None:
    with acting_system("door"):
        for device in ("a", "b"):
            actions.count_refusal(code="WRONG_SECRET", device=device, at=surge.AT)
        (row,) = ConnectionRefusal.objects.all()
    assert (row.count, row.device) == (2, "b")
