"""The HTTP door: POST /api/v1/observations. 200 only after the stream has stored every accepted row."""

# No postponed annotations here: ninja reads the real types through as_caller's wrapper.

from ninja import Router

router = Router()
