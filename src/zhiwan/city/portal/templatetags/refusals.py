"""The sentence of a refusal, for pages that are drawn where no portal code runs before them (middleware below)."""

from __future__ import annotations

from django import template

from zhiwan.city.portal.refusals import sentence
from zhiwan.kernel.facts.errors import CityError

register = template.Library()


@register.filter
def refusal(problem: CityError) -> str:
    """What a person reads, with its code."""
    return sentence(problem)
