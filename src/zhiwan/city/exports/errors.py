"""What is refused when personal data is taken out, and why."""

from __future__ import annotations

from zhiwan.kernel.facts.errors import InputRefused


class ExportUnknown(InputRefused):
    """No such request, or another's."""

    code = "EXPORT-001"
    fact = "there is no request {id} that this post may fetch or decide"
    hint = "Open it from the list of requests."


class StepRefused(InputRefused):
    """It was decided, fetched or is too old."""

    code = "EXPORT-002"
    fact = "the request {id} cannot take the step {step} now"
    detail = "It is {state}."
    hint = "Reload the page: someone may have been faster. A file is fetched once, and within a day."


class SecondPersonNeeded(InputRefused):
    """Who asked may not decide."""

    code = "EXPORT-003"
    fact = "{person} asked for this and cannot let it go"
    detail = "Personal data leaves with two persons, whatever posts they hold."
    hint = "Ask another duty chief or data steward."


class NothingToTake(InputRefused):
    """A request that names no type, no field, or things that are not there."""

    code = "EXPORT-004"
    fact = "this request asks for nothing that could be taken out"
    detail = "It needs a type with personal fields, at least one of them, and things in reach that have it."
    hint = "Choose a type, its fields and an area again."


class TooMuch(InputRefused):
    """More than anybody needs at once."""

    code = "EXPORT-005"
    fact = "{rows} things are more than {most}, which one request may take out"
    hint = "Choose an area, or ask several times."


class PersonNeeded(InputRefused):
    """A token or a process asks."""

    code = "EXPORT-006"
    fact = "personal data is asked for and let go by persons only"
    hint = "Sign in with an account of a person."


class AskedTooOften(InputRefused):
    """Requests that nobody decided pile up."""

    code = "EXPORT-007"
    fact = "{count} requests of this account are undecided"
    hint = "Withdraw some, or wait until they are decided."
