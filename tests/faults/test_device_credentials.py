"""A secret is rotated, a device is revoked and restored, a command finds it: real broker, door and registry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from door_trial import READING, Broker, Device, wait_until

from zhiwan.city.people.acting import acting_system
from zhiwan.city.registry import actions, devices
from zhiwan.run.embedded.postgres import Urls

pytestmark = pytest.mark.nats
#: From issue 4: a revoked device is cut within it.
CUT = 5.0
Connect = Callable[..., Device]


@pytest.fixture
def registry(registered: Urls, django_db_blocker: Any) -> Iterator[Urls]:
    """Actions on the registry that the door reads; they are committed."""
    with django_db_blocker.unblock():
        yield registered


def own(device: Device, id: str) -> bool:
    return device.publish(f"devices/{id}/telemetry", READING)


class TestRotation:
    def test_both_secrets_open_during_the_overlap(self, connect: Connect, registry: Urls) -> None:
        device = connect("d100")
        with acting_system("cli"):
            fresh = devices.rotate(device_id="d100")
            devices.rotate(device_id="d101")
        assert connect("d101").answer == "Success"
        assert own(device, "d100")  # a connection that is there goes on
        assert connect("d100", None, fresh).answer == "Success"

    def test_after_the_overlap_the_old_secret_opens_nothing(self, connect: Connect, registry: Urls) -> None:
        long_ago = datetime.now(UTC) - timedelta(hours=25)
        with acting_system("cli"):
            fresh = devices.rotate(device_id="d102", at=long_ago)
        assert connect("d102").answer == "Not authorized"
        assert connect("d102", None, fresh).answer == "Success"

    def test_who_came_in_with_the_old_secret_is_cut_when_it_ends(self, connect: Connect, registry: Urls) -> None:
        overlap_nearly_over = datetime.now(UTC) - timedelta(hours=24) + timedelta(seconds=4)
        with acting_system("cli"):
            devices.rotate(device_id="d103", at=overlap_nearly_over)
        device = connect("d103")
        assert device.answer == "Success"
        assert wait_until(lambda: device.gone, 4 + CUT)

    def test_a_session_from_before_the_rotation_ends_with_the_overlap_too(
        self, connect: Connect, registry: Urls
    ) -> None:
        device = connect("d106")
        with acting_system("cli"):
            devices.rotate(device_id="d106", at=datetime.now(UTC) - timedelta(hours=24) + timedelta(seconds=3))
        assert own(device, "d106")
        assert wait_until(lambda: device.gone, 3 + CUT)

    def test_a_compromised_secret_ends_at_once_with_its_connection(self, connect: Connect, registry: Urls) -> None:
        thief = connect("d104")
        with acting_system("cli"):
            fresh = devices.rotate(device_id="d104", at_once=True)
        assert wait_until(lambda: thief.gone, CUT)
        assert connect("d104").answer == "Not authorized"
        owner = connect("d104", None, fresh)
        assert owner.answer == "Success"
        assert wait_until(lambda: own(owner, "d104"))

    def test_only_hashes_are_kept(self, registry: Urls) -> None:
        with acting_system("cli"):
            fresh = devices.rotate(device_id="d105")
        with psycopg.connect(registry.owner) as connection:
            row = connection.execute("SELECT d::text FROM registry_device d WHERE id = 'd105'").fetchone()
        assert row is not None
        assert fresh not in row[0]
        assert fresh.encode().hex() not in row[0]


class TestRevocation:
    def test_the_live_connection_is_cut_and_no_login_is_answered_until_it_is_restored(
        self, broker: Broker, connect: Connect, registry: Urls
    ) -> None:
        device, other = connect("d110"), connect("d111")
        assert own(device, "d110")
        with acting_system("cli"):
            devices.revoke(device_id="d110", reason="stolen")
        assert wait_until(lambda: device.gone, CUT)
        assert connect("d110").answer == "Not authorized"
        assert not other.gone
        with acting_system("cli"):
            devices.restore(device_id="d110")
        assert wait_until(lambda: connect("d110").answer == "Success", CUT)

    def test_a_device_that_is_switched_off_or_removed_is_cut_too(self, connect: Connect, registry: Urls) -> None:
        off, removed = connect("d112"), connect("d113")
        with acting_system("cli"):
            actions.set_device_enabled(device_id="d112", enabled=False)
        with psycopg.connect(registry.owner) as connection:
            connection.execute("DELETE FROM registry_device WHERE id = 'd113'")
        assert wait_until(lambda: off.gone and removed.gone, CUT)

    def test_many_at_once_are_cut(self, connect: Connect, registry: Urls) -> None:
        found = [connect(f"d{n}") for n in range(120, 150)]
        with psycopg.connect(registry.owner) as connection:
            connection.execute("UPDATE registry_device SET enabled = false WHERE id >= 'd120' AND id <= 'd149'")
        assert wait_until(lambda: all(one.gone for one in found), CUT)

    def test_who_is_connected_stands_in_the_registry(self, connect: Connect, registry: Urls) -> None:
        def until(id: str) -> Any:
            with psycopg.connect(registry.owner) as connection:
                query = "SELECT until FROM registry_deviceconnection WHERE device_id = %s"
                row = connection.execute(query, [id]).fetchone()
            return row[0] if row else "never"

        device = connect("d114")
        assert wait_until(lambda: until("d114") is None)
        device.client.disconnect()
        assert wait_until(lambda: isinstance(until("d114"), datetime))


def test_a_new_device_comes_in_without_a_restart(connect: Connect, registry: Urls) -> None:
    assert connect("fresh-1", None, "x").answer == "Not authorized"  # the door has just heard that there is none
    with acting_system("cli"):
        given = actions.create_devices(pairs=[("fresh-1", "e")])
    assert wait_until(lambda: connect("fresh-1", None, given["fresh-1"]).answer == "Success")


class TestCommands:
    """The rows are written as registry.commands does; what that refuses is tested there."""

    def ask(self, urls: Urls, device: str, within: float = 60.0) -> int:
        until = datetime.now(UTC) + timedelta(seconds=within)
        with psycopg.connect(urls.owner) as connection:
            row = connection.execute(
                "INSERT INTO registry_devicecommand (device_id, town, command, argument, asked_by, asked_at,"
                " expires_at, state, server, says) VALUES (%s, '', 'dim', '40', 'chief', now(), %s, 'asked', '', '')"
                " RETURNING id",
                [device, until],
            ).fetchone()
        assert row is not None
        return int(row[0])

    def state(self, urls: Urls, number: int) -> tuple[str, bool | None, str]:
        with psycopg.connect(urls.owner) as connection:
            query = "SELECT state, ok, says FROM registry_devicecommand WHERE id = %s"
            row = connection.execute(query, [number]).fetchone()
        assert row is not None
        return row

    def test_a_device_takes_a_command_and_answers(self, connect: Connect, registry: Urls) -> None:
        device = connect("d160", hears="commands/d160")
        number = self.ask(registry, "d160")
        assert wait_until(lambda: bool(device.heard))
        told = json.loads(device.heard[0])
        assert (told["command"], told["do"], told["argument"]) == (number, "dim", 40)
        assert wait_until(lambda: self.state(registry, number)[0] == "delivered")
        answer = {"command": number, "ok": True, "says": "40 %"}
        assert device.publish("devices/d160/answers", json.dumps(answer).encode())
        assert wait_until(lambda: self.state(registry, number) == ("answered", True, "40 %"))

    @pytest.mark.parametrize("lasting", [True, False])
    def test_a_sleeping_device_gets_it_when_it_is_back(self, connect: Connect, registry: Urls, lasting: bool) -> None:
        id = f"d16{1 + lasting}"
        asleep = connect(id, lasting=lasting, hears=f"commands/{id}")
        asleep.client.disconnect()
        assert wait_until(lambda: asleep.gone)
        number = self.ask(registry, id)
        back = connect(id, lasting=lasting, hears=f"commands/{id}")
        assert wait_until(lambda: bool(back.heard))
        assert json.loads(back.heard[0])["command"] == number
        assert wait_until(lambda: self.state(registry, number)[0] == "delivered")

    def test_a_device_that_comes_back_too_late_does_not_get_it(self, connect: Connect, registry: Urls) -> None:
        number = self.ask(registry, "d164", within=0.1)
        assert wait_until(lambda: self.state(registry, number)[0] == "expired")
        late = connect("d164", hears="commands/d164")
        after = self.ask(registry, "d164")
        assert wait_until(lambda: bool(late.heard))
        assert [json.loads(one)["command"] for one in late.heard] == [after]

    def test_nobody_hears_or_answers_the_commands_of_another(self, connect: Connect, registry: Urls) -> None:
        stranger = connect("d165", hears="commands/d166")
        device = connect("d166", hears="commands/d166")
        number = self.ask(registry, "d166")
        assert wait_until(lambda: bool(device.heard))
        forged = json.dumps({"command": number, "ok": True, "says": "forged"}).encode()
        stranger.publish("devices/d166/answers", forged)  # acknowledged and dropped: the topic is not its own
        stranger.publish("devices/d165/answers", forged)  # its own topic, another's command
        assert device.publish("devices/d166/answers", json.dumps({"command": number, "ok": False}).encode())
        assert wait_until(lambda: self.state(registry, number)[0] == "answered")
        assert self.state(registry, number) == ("answered", False, "")
        assert stranger.heard == []
