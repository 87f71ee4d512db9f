"""What can be wrong between the declarations of a pack. Each has a pack in tests/bad_packs that fails with it alone.

PackFault (packs.broken, PACK-001 to 013: one file by itself)
├── TypeUnknown        PACK-020      ├── RoleUnknown        PACK-028      ├── SourceEmpty      PACK-036
├── PropertyUnknown    PACK-021      ├── RuleUnknown        PACK-029      ├── ValueMissing     PACK-037
├── ParameterUnknown   PACK-022      ├── ExpressionWrong    PACK-030      ├── UnitWrong        PACK-038
├── ScaleUnknown       PACK-023      ├── GradeTooLow        PACK-031      ├── UnitsApart       PACK-039
├── LevelUnknown       PACK-024      ├── ReplayMissing      PACK-032      ├── OutputNotDerived PACK-040
├── CaseKindUnknown    PACK-025      ├── ReplayMislabelled  PACK-033      ├── DerivedByNobody  PACK-041
├── WarningUnknown     PACK-026      ├── EntityUnknown      PACK-034      ├── LedgerUnknown    PACK-042
├── IndicatorUnknown   PACK-027      ├── DatesWrong         PACK-035      ├── MissionUnknown   PACK-043
├── DerivedIsFed       PACK-044      ├── NeedMissing        PACK-046      ├── RuleSilent       PACK-047
├── EmitMissing        PACK-045      ├── OrderWrong         PACK-048      ├── ChoicesMissing   PACK-049
├── NeedNotLoaded      PACK-050      ├── FieldUnfit         PACK-051
├── MeaningChanged     PACK-055      ├── VersionWentBack    PACK-056      (these four: --against)
├── LedgerSlidBack     PACK-057      └── BaseUnreadable     PACK-058
"""

from __future__ import annotations

from zhiwan.kernel.packs.broken import PackFault


class TypeUnknown(PackFault):
    code = "PACK-020"
    what = 'there is no type "{name}"'
    detail = "Known types: {known}."
    hint = "Declare it in types.yml, or name the pack that does in `needs` of pack.yml."


class PropertyUnknown(PackFault):
    code = "PACK-021"
    what = 'the type {type} has no {thing} "{name}"'
    detail = "It has: {known}."
    hint = "Mend the name, or declare it in types.yml."


class ParameterUnknown(PackFault):
    code = "PACK-022"
    what = 'there is no parameter "{name}"'
    detail = "Own parameters: {known}."
    hint = "Declare it in params/, or write <last part of the other pack>.<id>."


class ScaleUnknown(PackFault):
    code = "PACK-023"
    what = 'there is no scale "{name}"'
    detail = "Own scales: {known}."
    hint = "Declare it under `scales` in rules.yml, or write <last part of the other pack>.<id>."


class LevelUnknown(PackFault):
    code = "PACK-024"
    what = 'the scale {scale} has no level "{name}"'
    detail = "Its levels: {known}."
    hint = "Write one of the level ids, or add the level to the scale."


class CaseKindUnknown(PackFault):
    code = "PACK-025"
    what = 'there is no kind of case "{name}"'
    detail = "Own kinds: {known}."
    hint = "Declare it in cases.yml, or write <last part of the other pack>.<id>."


class WarningUnknown(PackFault):
    code = "PACK-026"
    what = 'there is no kind of warning "{name}"'
    detail = "Own kinds: {known}."
    hint = "Declare it in warnings.yml, or write <last part of the other pack>.<id>."


class IndicatorUnknown(PackFault):
    code = "PACK-027"
    what = 'there is no indicator "{name}"'
    detail = "Own indicators: {known}."
    hint = "Declare it in indicators.yml, or write <last part of the other pack>.<id>."


class RoleUnknown(PackFault):
    code = "PACK-028"
    what = 'no place has the role "{name}"'
    detail = "Roles of the place: {known}."
    hint = "Use one of its roles, or add the role and a post to posts.yml of the place."


class RuleUnknown(PackFault):
    code = "PACK-029"
    what = 'this pack has no {thing} "{name}"'
    detail = "It has: {known}."
    hint = "Mend the name; a replay proves what its own pack declares."


class ExpressionWrong(PackFault):
    code = "PACK-030"
    what = "{problem}"
    hint = "{advice}"


class GradeTooLow(PackFault):
    code = "PACK-031"
    what = 'the field holds a personal "{kind}" but its grade is {grade}'
    detail = "Pages, exports, logs and maps mask by grade; without one a person's data would be public."
    hint = "Write `grade: 3` or higher beside `kind`."


class ReplayMissing(PackFault):
    code = "PACK-032"
    what = "the rule lacks replays of kind {kinds}"
    detail = "Every rule is replayed four ways: it fires, stays silent, its data arrives late, its data goes missing."
    hint = "Add one of each with `rule: {rule}` to tests/*.yml."


class ReplayMislabelled(PackFault):
    code = "PACK-033"
    what = 'the replay says "{kind}" but {problem}'
    hint = "{advice}"


class EntityUnknown(PackFault):
    code = "PACK-034"
    what = 'the replay has no entity "{name}"'
    detail = "It has: {known}."
    hint = "Declare it under `entity` or `others`."


class DatesWrong(PackFault):
    code = "PACK-035"
    what = "{problem}"
    detail = "Two values at one time, or none, would make a replay depend on luck."
    hint = "Order the entries by `from`; `to` is the first day on which the value no longer holds."


class SourceEmpty(PackFault):
    code = "PACK-036"
    what = "the value has no source"
    detail = "Every number of a law, standard or plan says where it stands."
    hint = "Name document and clause; add `verify: true` when it is from memory (待核实)."


class ValueMissing(PackFault):
    code = "PACK-037"
    what = "{problem}"
    hint = "An entry has either `value` (one number) or `table` (rows of equal columns)."


class UnitWrong(PackFault):
    code = "PACK-038"
    what = "{problem}"
    hint = (
        'Write a UCUM code: m, mm, ug/m3, mg/m3, Cel, %, m/s, W, kW, mA, lx, deg; "1" (in quotes) for a plain number.'
    )


class UnitsApart(PackFault):
    code = "PACK-039"
    what = 'a column in "{unit}" cannot become {property} in "{wanted}"'
    hint = "Mend the unit of the column, or feed another property."


class OutputNotDerived(PackFault):
    code = "PACK-040"
    what = 'the output "{name}" is not declared as derived'
    detail = "A device could write it too, and nobody would know which value is computed."
    hint = "Write `derived: true` at {type}.{name} in types.yml."


class DerivedByNobody(PackFault):
    code = "PACK-041"
    what = 'the property "{name}" is derived, but no derive step writes it'
    hint = "Add it to the `outputs` of a step in derive.yml, or drop `derived: true`."


class LedgerUnknown(PackFault):
    code = "PACK-042"
    what = "{problem}"
    detail = "Keys of the ledger: {known}."
    hint = "Use a known key once: under done, todo or exempt (with its reason)."


class MissionUnknown(PackFault):
    code = "PACK-043"
    what = '"{name}" is no row of the mission'
    hint = "Name rows of mission.csv of the place: a letter A to E, a number, at times a second one: C6, D17.6."


class DerivedIsFed(PackFault):
    code = "PACK-044"
    what = 'the property "{name}" is derived and cannot be fed'
    hint = "Feed the inputs of the derive step instead."


class EmitMissing(PackFault):
    code = "PACK-045"
    what = '"{name}" is raised or proposed but not listed in `emits`'
    hint = "Add it to `emits` in pack.yml: who reads the manifest must know what the pack may start."


class NeedMissing(PackFault):
    code = "PACK-046"
    what = 'the pack uses "{name}" of {owner}, which `needs` does not list'
    hint = "Add {owner} to `needs` in pack.yml."


class NeedNotLoaded(PackFault):
    code = "PACK-050"
    what = 'the pack "{name}" is needed but not loaded'
    detail = "Loaded: {known}."
    hint = "Mend the id, or add the folder that holds it (ZHIWAN_PACKS, or `--with` of the check)."


class RuleSilent(PackFault):
    code = "PACK-047"
    what = "the rule has neither `when` nor `absent`"
    hint = "Say when it fires: `when: value > …`, or `absent: 30min` for missing data."


class OrderWrong(PackFault):
    code = "PACK-048"
    what = "{problem}"
    hint = "{advice}"


class ChoicesMissing(PackFault):
    code = "PACK-049"
    what = "{problem}"
    hint = "List `choices` with id and title at fields of type choice, and nowhere else."


class FieldUnfit(PackFault):
    code = "PACK-051"
    what = "{problem}"
    hint = "{advice}"


class MeaningChanged(PackFault):
    code = "PACK-055"
    what = "the {thing} {problem}, but the version is still {version}"
    detail = "An alarm carries this version; under one version a rule, limit or type means one thing ({declared_in})."
    hint = "Raise `version` in pack.yml together with the change."


class VersionWentBack(PackFault):
    code = "PACK-056"
    what = "the version {version} is lower than {was}, which it was"
    hint = "Versions only rise; to undo a change, raise the version and write the old declarations again."


class LedgerSlidBack(PackFault):
    code = "PACK-057"
    what = '"{name}" was done and is not any more'
    detail = "The ledger of a pack does not slide back."
    hint = "Do it again, or list it under `exempt` with the reason."


class BaseUnreadable(PackFault):
    code = "PACK-058"
    what = "the pack that is compared with cannot be read: {problem}"
    hint = "Compare with a state in which `zhiwan pack check` passes."
