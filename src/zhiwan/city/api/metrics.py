"""/metrics for Prometheus. The numbers are read from the tables that the pages read, so both always agree."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from zhiwan.city.api.health import parts_now
from zhiwan.city.api.health_words import WELL
from zhiwan.city.cases.models import Case
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.auditing.standing import standing
from zhiwan.city.people.routes import declares
from zhiwan.city.registry.models import ConnectionRefusal, Device
from zhiwan.city.watch.heartbeat import beats
from zhiwan.city.watch.models import Alarm, AlarmState, DoorCounter, LatestValue, SetAside


@declares("way.pulse")
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """All figures as they are now."""
    registry = CollectorRegistry()
    registry.register(CityFigures())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class CityFigures(Collector):
    """Reads the figures once per scrape."""

    def describe(self) -> list[Metric]:
        return []  # without it the registry would collect once more while registering

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("zhiwan_part_up", "1 while a part of the platform does its work", labels=["part"])
        parts = parts_now(timezone.now())
        for name, part in parts.items():
            up.add_metric([name], float(part["state"] in WELL))
        yield up
        if parts["database"]["state"] not in WELL:
            return
        with acting_system("web"):
            yield from _doors()
            yield from _work()
            yield from _processes()
            yield from _audit()


def _doors() -> Iterator[Metric]:
    readings = CounterMetricFamily("zhiwan_readings", "Readings by door and outcome", labels=["door", "outcome"])
    for door, code, n in (
        DoorCounter.objects.values_list("door", "code").annotate(n=Sum("count")).order_by("door", "code")
    ):
        readings.add_metric([door, code], n)
    yield readings
    refused = CounterMetricFamily("zhiwan_connections_refused", "Refused device connections", labels=["code"])
    for code, n in ConnectionRefusal.objects.values_list("code").annotate(n=Sum("count")).order_by("code"):
        refused.add_metric([code], n)
    yield refused
    devices = GaugeMetricFamily("zhiwan_devices", "Registered devices", labels=["simulated"])
    for simulated, n in Device.objects.values_list("simulated").annotate(n=Count("id")).order_by("simulated"):
        devices.add_metric([str(simulated).lower()], n)
    yield devices
    yield GaugeMetricFamily("zhiwan_latest_values", "Properties that have a value", value=LatestValue.objects.count())


def _audit() -> Iterator[Metric]:
    told = standing()
    if told.signed_at is not None:
        at = told.signed_at.timestamp()
        yield GaugeMetricFamily("zhiwan_audit_signed_timestamp_seconds", "When audit heads were last signed", value=at)
    if told.checked_at is not None:
        at = told.checked_at.timestamp()
        yield GaugeMetricFamily("zhiwan_audit_checked_timestamp_seconds", "When the audit was last checked", value=at)
        yield GaugeMetricFamily("zhiwan_audit_findings", "What the last check of the audit found", value=told.findings)


def _work() -> Iterator[Metric]:
    alarms = GaugeMetricFamily("zhiwan_alarms_open", "Alarms that are not cleared", labels=["tone"])
    still = Alarm.objects.exclude(state__in=AlarmState.ended())
    for tone, n in still.values_list("tone").annotate(n=Count("id")).order_by("tone"):
        alarms.add_metric([tone], n)
    yield alarms
    cases = GaugeMetricFamily("zhiwan_cases", "Cases by state", labels=["state"])
    for state, n in Case.objects.values_list("state").annotate(n=Count("id")).order_by("state"):
        cases.add_metric([state], n)
    yield cases
    waiting = SetAside.objects.filter(state="open").count()
    yield GaugeMetricFamily("zhiwan_set_aside_open", "Refused values waiting for a person", value=waiting)


def _processes() -> Iterator[Metric]:
    """Every number a process says of itself becomes a gauge: zhiwan_process{process, figure}."""
    told = GaugeMetricFamily("zhiwan_process", "What a process says of itself", labels=["process", "figure"])
    for process, beat in sorted(beats().items()):
        told.add_metric([process, "last_sign_timestamp_seconds"], beat.at.timestamp())
        for figure, value in sorted(beat.body.items()):
            if isinstance(value, int | float):
                told.add_metric([process, figure], float(value))
    yield told
