"""What is refused when rules and parameters are changed, and why.

InputRefused
├── AmendmentUnknown   RULE-001      ├── Overtaken          RULE-006      ├── DurationRefused   RULE-011
├── TextRefused        RULE-002      ├── PreviewMissing     RULE-007      ├── ValueRefused      RULE-012
├── NothingChanged     RULE-003      ├── OnlyLive           RULE-008      ├── DateRefused       RULE-013
├── StepRefused        RULE-004      ├── ReasonMissing      RULE-009      └── SourceMissing     RULE-014
└── SecondPersonNeeded RULE-005      └── PersonNeeded       RULE-010
"""

from __future__ import annotations

from collections.abc import Mapping

from zhiwan.kernel.facts.errors import CityError, InputRefused


class AmendmentUnknown(InputRefused):
    """No such amendment, rule, parameter or dated value."""

    code = "RULE-001"
    fact = "there is no {thing} {id}"
    hint = "Open it from the list of rules."


class TextRefused(InputRefused):
    """A proposed text that cannot be used; `problems` says what is wrong with which field."""

    code = "RULE-002"
    fact = "the proposed text cannot be used"
    detail = "{said}"
    hint = "Mend the fields that are marked."

    def __init__(self, problems: Mapping[str, CityError]) -> None:
        self.problems = dict(problems)
        super().__init__(said=" ".join(f"{key}: {problem}" for key, problem in problems.items()))


class NothingChanged(InputRefused):
    """A proposal that would leave everything as it is."""

    code = "RULE-003"
    fact = "nothing would change"
    hint = "Change a field, or leave the page."


class StepRefused(InputRefused):
    """It is decided already, or another one has to be taken back first."""

    code = "RULE-004"
    fact = "the amendment {id} cannot take the step {step} now"
    detail = "It is {state}."
    hint = "Reload the page: someone may have been faster."


class SecondPersonNeeded(InputRefused):
    """Who proposed may not sign."""

    code = "RULE-005"
    fact = "{person} proposed this change and cannot sign it"
    detail = "A change of a rule is signed by two persons."
    hint = "Ask another holder of the post to look at the preview and decide."


class Overtaken(InputRefused):
    """What it changes is not what it was when it was proposed."""

    code = "RULE-006"
    fact = "{subject} was changed after this amendment was proposed"
    detail = "The preview and the text before are of another text than the one in force."
    hint = "Withdraw it and propose it anew."


class PreviewMissing(InputRefused):
    """Nobody signs what nobody could look at."""

    code = "RULE-007"
    fact = "the preview of this change is not there yet"
    detail = "It is {state}."
    hint = "Wait until it is done, or compute it again."


class OnlyLive(InputRefused):
    """In a story nothing of the real city is changed."""

    code = "RULE-008"
    fact = "rules are not changed in a story"
    detail = "A change holds for the live city and for every story that is played afterwards."
    hint = "Return to live."


class ReasonMissing(InputRefused):
    """A proposal or a refusal without its reason."""

    code = "RULE-009"
    fact = "the reason is missing"
    hint = "Say in a sentence why."


class PersonNeeded(InputRefused):
    """A process, or a token without an account, proposes or signs nothing."""

    code = "RULE-010"
    fact = "a change of a rule needs a person"
    detail = "{who} is no account of a person."
    hint = "Sign in with your own account."


class DurationRefused(InputRefused):
    """Not a duration, or one no rule may have."""

    code = "RULE-011"
    fact = '"{given}" is no duration'
    detail = "A duration is a whole number with its unit: 30s, 10min, 2h, 1d; 31d at most."
    hint = "Write for example 10min."


class ValueRefused(InputRefused):
    """Not a number."""

    code = "RULE-012"
    fact = '"{given}" is no number'
    hint = "Write a number in the unit of the parameter, for example 35 or 4.55."


class DateRefused(InputRefused):
    """A date that a dated value may not have."""

    code = "RULE-013"
    fact = "{given} cannot be the day from which the value holds"
    detail = "{problem_en}."
    hint = "{advice_en}."


class SourceMissing(InputRefused):
    """A number without the law, standard or order it comes from."""

    code = "RULE-014"
    fact = "the source of the value is missing"
    hint = "Name document and clause, and tick to be verified when you have it from memory."
