"""Reads a document with small mistakes as it was probably meant, so that what else is wrong with it is said at once."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from finlake.config.explain import is_union_tag, keys_at
from finlake.errors import near_names

M = TypeVar("M", bound=BaseModel)


def as_meant(model: type[M], data: dict[str, Any], errors: ValidationError) -> M | None:
    """The model of a document whose misspelt keys and words are those that are nearest, and unknown keys are gone.

    None where a mistake is of another kind: guessing a value would make more mistakes of it.
    """
    mended = deepcopy(data)
    for item in errors.errors():
        place = [part for part in item["loc"] if not is_union_tag(part)]
        if not place:
            return None
        above, last = place[:-1], place[-1]
        try:
            node: Any = mended
            for part in above:
                node = node[part]
            if item["type"] == "extra_forbidden":
                value = node.pop(last)
                missing = set(keys_at(model, tuple(above))) - set(node)
                if meant := near_names(str(last), missing):
                    node[meant[0]] = value
            elif item["type"] == "literal_error":
                meant = near_names(str(item["input"]), re.findall(r"'([^']*)'", item["ctx"]["expected"]))
                if not meant:
                    return None
                node[last] = meant[0]
            elif item["type"] != "missing":
                return None
        except (KeyError, IndexError, TypeError, AttributeError):
            return None
    try:
        return model.model_validate(mended)
    except ValidationError:
        return None
