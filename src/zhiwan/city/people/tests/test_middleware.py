"""A request runs as the post in use, in one transaction, and a view's error takes everything back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from zhiwan.city.headers import ContentSecurity
from zhiwan.city.people.acting import acting_system, current_actor
from zhiwan.city.people.actions import create_user
from zhiwan.city.people.middleware import ActingMiddleware
from zhiwan.city.people.models import Organisation, Post, User
from zhiwan.city.registry.models import Area

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user() -> User:
    with acting_system("cli"):
        office = Organisation.objects.create(id="office", name_zh="所", name_en="office", area="990101")
        desk = Post(id="desk", role="operator", title_zh="值", title_en="desk", organisation=office, scope="district")
        east = Post(id="east", role="town_duty", title_zh="东", title_en="east", organisation=office, scope="towns")
        east.towns = ["990101001"]
        Post.objects.bulk_create([desk, east])
        return create_user(name="lin", display_name="林", password=None, posts=[desk, east])


def visit(view: Callable[[HttpRequest], HttpResponse], user: object, path: str = "/", post: str = "") -> HttpResponse:
    request = RequestFactory().get(path)
    request.user = user  # type: ignore[assignment]
    request.session = {"post": post}  # type: ignore[assignment]
    return ActingMiddleware(view)(request)


def who(request: HttpRequest) -> HttpResponse:
    actor = current_actor()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_setting('zhiwan.towns', true)")
        role, towns = cursor.fetchone()
    return HttpResponse(f"{actor.post.id if actor and actor.post else '-'} {role} {towns}")


def test_a_view_runs_as_the_post_in_use(user: User) -> None:
    assert visit(who, user).content == b"desk zhiwan_district "
    assert visit(who, user, post="east").content == b"east zhiwan_area 990101001"
    assert visit(who, user, post="not-mine").content == b"desk zhiwan_district "
    assert current_actor() is None


def test_a_stranger_and_the_api_act_as_nobody(user: User) -> None:
    assert visit(who, AnonymousUser()).content.startswith(b"- zhiwan_area")
    assert visit(who, user, path="/api/v1/entities").content.startswith(b"- zhiwan_area")


@pytest.mark.parametrize(("status", "kept"), [(200, True), (404, True), (500, False)])
def test_what_a_failing_view_wrote_is_taken_back(user: User, status: int, kept: bool) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        Area.objects.create(code="990101001", level="town", name="东")
        return HttpResponse(status=status)

    visit(view, user)
    assert Area.objects.filter(code="990101001").exists() is kept


def test_every_answer_carries_the_policy() -> None:
    response = ContentSecurity(lambda request: HttpResponse("x"))(RequestFactory().get("/"))
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert policy.count("unsafe-inline") == 1  # style attributes, which the chart library sets
    assert "style-src-attr 'unsafe-inline'" in policy
