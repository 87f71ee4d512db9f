"""What every declaration that a person writes in YAML is built of: strict frozen models, texts in both languages, ids.

Here, below the packs, because roles and actions (kernel/guard) are declared in the same way.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Grade = Annotated[int, Field(ge=1, le=5)]  # 1 public … 5; personal fields at least 3


class Declared(BaseModel):
    """An unknown key is an error; nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Text(Declared):
    """A human sentence in both languages."""

    zh: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]
