from __future__ import annotations

from collections.abc import Iterator

import pytest

from zhiwan.city import packs_loaded
from zhiwan.city.watch.tests import surge


@pytest.fixture
def secrets(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The small city of surge.py; gives the devices' secrets."""
    surge.use_packs(monkeypatch)
    yield surge.found_city()
    packs_loaded.forget()
    packs_loaded.use_bus(None)
