"""How names are written and what they mean: local ids, `<last part>.<id>` and global ids `<pack.id>.<id>`.

Loaded models carry global ids where they point at a declaration that events and tables will name: `raises`,
`proposes.warning`, plan triggers, `emits`, the indicators of layers and panels. Scales and parameters stay as written
and are looked up local-first (PackSet.scale, ParameterBook.of), because expressions name them too.
"""

from __future__ import annotations

from collections.abc import Iterable

from zhiwan.kernel.packs.models import Pack


def global_id(pack_id: str, name: str, packs: Iterable[str] = ()) -> str:
    """`patrol` or `flood.patrol` as written in a pack → `governance.flood.patrol`.

    `packs` are the ids that `<last part>` may mean beside the pack itself. A name that no pack answers to is returned
    as written.
    """
    parts = name.split(".")
    if len(parts) == 1:
        return f"{pack_id}.{name}"
    if len(parts) == 2:
        for candidate in (pack_id, *sorted(packs)):
            if candidate.rpartition(".")[2] == parts[0]:
                return f"{candidate}.{parts[1]}"
    return name


def normalised(pack: Pack, packs: Iterable[str] = ()) -> Pack:
    """The pack with every pointer global that can be made so."""
    known = tuple(packs)

    def full(name: str) -> str:
        return global_id(pack.id, name, known)

    rules = [
        rule.model_copy(
            update={
                "raises": full(rule.raises) if rule.raises else None,
                "proposes": rule.proposes.model_copy(update={"warning": full(rule.proposes.warning)})
                if rule.proposes
                else None,
            }
        )
        for rule in pack.rules
    ]
    plans = [
        plan.model_copy(
            update={"triggers": [one.model_copy(update={"warning": full(one.warning)}) for one in plan.triggers]}
        )
        for plan in pack.plans
    ]
    views = pack.views.model_copy(
        update={
            "layers": [
                layer.model_copy(update={"indicator": full(layer.indicator)}) if layer.indicator else layer
                for layer in pack.views.layers
            ],
            "panels": [
                panel.model_copy(update={"indicators": [full(name) for name in panel.indicators]})
                for panel in pack.views.panels
            ],
        }
    )
    manifest = pack.manifest.model_copy(update={"emits": [full(name) for name in pack.manifest.emits]})
    return pack.model_copy(update={"manifest": manifest, "rules": rules, "plans": plans, "views": views})
