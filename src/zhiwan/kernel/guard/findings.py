"""What a check of the audit found, and what it cannot find, each as a code with its values and an English sentence.

Pages have the same in Chinese (city/portal/audit_words.py), by code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FOUND = {
    "changed": "{chain}: record {first} was changed ({action} {subject}, recorded {recorded_at}):"
    " it is not what was hashed",
    "replaced": "{chain}: record {first} is not the one that record {last} followed: it was exchanged, or all from"
    " {last} on were written anew",
    "missing": "{chain}: records {first}–{last} are missing{gone}",
    "cut": "{chain}: the tail is cut: records {first}–{last} were there ({witness}){gone}",
    "rewritten": "{chain}: the chain was rewritten: record {first} is not the one that was signed at {at}; the last"
    " record that agrees with a signed head is {last}",
    "twice": "{chain}: record {first} is there more than once",
    "order": "{chain}: record {first} stands after record {last}",
    "head": "{chain}: the head in the database (record {last}) is not its last record's ({first})",
    "form": "{chain}: record {first} has a form this version does not know ({form})",
    "line": "signed heads, line {first} of {file}: {problem}",
    "lines_gone": "signed heads: lines 1–{last} are gone; what was signed in them is not compared",
    "lines_cut": "signed heads: the file ends with line {first}, the database knows of line {last}",
}
BLIND = {
    "no_heads": "No signed heads were compared: a chain that was rewritten, or cut together with its head, looks"
    " whole.",
    "unsigned": "{count} records came after the last signed head ({at}): whoever owns the database could have changed"
    " or cut these and mended the chain. They are covered with the next signature.",
    "key_holder": "Whoever owns the database and also the signing key and the file of signed heads can write everything"
    " anew. Compare with a copy of the file and of the public key that is kept elsewhere.",
    "never_written": "What was never recorded, or was recorded falsely when it happened, is in no chain: the chain"
    " proves that records are unchanged, not that they are complete or true.",
    "torn": "The last line of the signed heads is not whole (a crash while writing); it was not used.",
    "sealed": "{count} records were let go by retention; only their last hash is kept.",
    "sealed_by_record": "Which records were let go by retention was taken from the audit itself, without a signature.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where (chain, first and last record), and what else its sentence names."""

    code: str
    chain: str = ""
    first: int = 0
    last: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def says(self) -> str:
        return FOUND[self.code].format_map(self.named())

    def named(self) -> dict[str, Any]:
        """All values of the sentence."""
        months = ", ".join(self.values.get("months", ()))
        gone = f"; the partition of {months} is gone" if months else ""
        return {"chain": self.chain, "first": self.first, "last": self.last, "gone": gone, **self.values}

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code, "chain": self.chain, "first": self.first, "last": self.last,
            "values": dict(self.values), "says": self.says,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Blindness:
    """One thing that this check could not see."""

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def says(self) -> str:
        return BLIND[self.code].format_map(self.values)

    def as_dict(self) -> dict[str, Any]:
        return {"code": self.code, "values": dict(self.values), "says": self.says}
