"""The HTTP door: POST /api/v1/observations. 200 only after the stream has stored every accepted row."""

# No postponed annotations here: ninja reads the real types through as_caller's wrapper.
from typing import Any

from django.http import HttpRequest
from ninja import Router

from zhiwan.city.api import schemas
from zhiwan.city.api.auth import as_caller

router = Router()
