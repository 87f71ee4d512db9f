"""The command map: drawn, labelled as a sketch, searched, and the same facts as a table."""

from __future__ import annotations

from playwright.sync_api import expect

from running import Product, Visit


def test_the_map_is_drawn_with_layers_and_says_what_is_synthetic(visit: Visit) -> None:
    page = visit("/")
    expect(page.locator("#map canvas")).to_be_visible(timeout=20_000)
    layers = page.locator("#map-layers label")
    expect(layers.first).to_be_visible(timeout=20_000)
    assert layers.count() >= 12, "a layer for each type"
    expect(page.locator(".map-note")).to_contain_text("示意")
    counted = sum(int(text) for text in page.locator("#map-layers small").all_inner_texts())
    assert counted >= 2000
    side = page.get_by_role("complementary", name="态势")
    expect(side).to_contain_text("体征")


def test_towns_and_villages_are_all_there(product: Product, visit: Visit) -> None:
    page = visit("/alarms")
    areas = page.request.get(f"{product.url}/map/areas.json").json()
    assert len(areas["towns"]) == 11
    assert len(areas["villages"]) == 244
    assert areas["outline"]["type"] in {"Polygon", "MultiPolygon"}


def test_search_finds_village_device_and_case(product: Product, visit: Visit) -> None:
    page = visit("/alarms")
    for text, found in (("红阳村", "红阳村村委会"), (product.demo["device"]["id"], "手动测试点")):
        page.locator("#search-box").fill(text)
        expect(page.locator("#search-results a").first).to_contain_text(found, timeout=10_000)
    page.locator("#search-box").press("Enter")
    expect(page.locator("main")).to_contain_text("手动测试点")


def test_the_map_is_also_a_table(visit: Visit) -> None:
    page = visit("/?view=table")
    expect(page.locator(".map-table tbody tr").nth(20)).to_be_visible()
    page.get_by_label("类型").select_option(index=1)
    expect(page.locator(".map-table tbody tr").first).to_be_visible()


def test_an_entity_opens_on_the_map_with_its_card(product: Product, visit: Visit) -> None:
    page = visit(f"/?entity={product.demo['device']['id']}")
    card = page.locator(".maplibregl-popup")
    expect(card).to_contain_text("手动测试点", timeout=20_000)
