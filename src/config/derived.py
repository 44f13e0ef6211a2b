"""Feature groups derived from another: the same features by another entity or of another source, under other names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated

from pydantic import Field, model_validator

from finlake.config.base import Model, Name, Template
from finlake.config.features import Feature, FeatureGroup
from finlake.errors import ConfigError, UnknownNameError

NAMED = r"^[a-z0-9_]*\{name\}[a-z0-9_]*$"
_PLACE = "{name}"
_LITERAL = re.compile(r"('(?:[^']|'')*')")


class DerivedGroup(Model):
    """A group that has the features of another one, each under a name of its own, and perhaps more."""

    group: Name
    about: str
    owner: str = Field("", description="default: the other group's")
    like: Name = Field(description="the group whose features these are")
    named: Annotated[str, Field(pattern=NAMED)] = Field(description="what they are called here: customer_{name}")
    entity: str | None = Field(None, description="default: the other group's")
    source: Name | None = Field(None, description="default: the other group's")
    without: list[str] = Field(
        [], description="features of the other group that this one does not have, as written there"
    )
    features: dict[Template, Feature] = Field({}, description="more features; they may name derived ones")

    @model_validator(mode="after")
    def _differs(self) -> DerivedGroup:
        if self.named == _PLACE:
            raise ValueError("named: {name} alone gives both groups the same feature names; write customer_{name}")
        if not (self.entity or self.source or self.without or self.features):
            raise ValueError(
                "differs from the other group in nothing: give `entity`, `source`, `without` or `features`"
            )
        return self

    def of(self, base: FeatureGroup) -> FeatureGroup:
        """The group in full.

        Raises:
            UnknownNameError: `without` names a feature that the other group has not.
            ConfigError: a feature that stays is made from one that `without` takes away, or two have one name.
        """
        for name in self.without:
            if name not in base.features:
                raise UnknownNameError("feature", name, base.features, f"group {base.group}")
        kept = {name: feature for name, feature in base.features.items() if name not in self.without}
        gone = {name for name in base.expanded() if name not in base.model_copy(update={"features": kept}).expanded()}
        for name, feature in kept.items():
            lost = sorted(word for word in _words(feature) if word in gone)
            if lost:
                raise ConfigError(f"without: {name} is made from {lost[0]}; leave it out as well")
        names = {name: self.named.replace(_PLACE, name) for name in [*kept, *base.expanded()] if name not in gone}
        made = {names[name]: _renamed(feature, names) for name, feature in kept.items()}
        for name in self.features:
            if name in made:
                raise ConfigError(f"features: {name} is a derived feature's name already; take that out by `without`")
        return FeatureGroup(
            group=self.group,
            about=self.about,
            owner=self.owner or base.owner,
            entity=self.entity or base.entity,
            source=self.source or base.source,
            features=made | self.features,
        )


def in_full(
    derived: Mapping[str, DerivedGroup],
    groups: Mapping[str, FeatureGroup],
    refused: Callable[[str, str, str], None],
) -> dict[str, FeatureGroup]:
    """Every derived group in full, also those derived from derived ones.

    Args:
        derived: by name.
        groups: those that say everything themselves.
        refused: called with the group, the message and the key where one cannot be derived.
    """
    made: dict[str, FeatureGroup] = {}
    waiting = dict(derived)
    while waiting:
        ready = [name for name, group in waiting.items() if group.like not in waiting]
        if not ready:
            for name, group in waiting.items():
                refused(name, f"like: {name} and {group.like} are derived from each other in a circle", "like")
            break
        for name in ready:
            group, known = waiting.pop(name), {**groups, **made}
            try:
                if group.like not in known:
                    raise UnknownNameError("feature group", group.like, [*known, *derived])
                made[name] = group.of(known[group.like])
            except UnknownNameError as error:
                refused(name, str(error), "like" if group.like not in known else "without")
            except ConfigError as error:
                refused(name, str(error), str(error).partition(":")[0])
    return made


def _texts(feature: Feature) -> list[str]:
    named = feature.python.of if feature.python else []
    return [*(feature.ratio or ()), *([feature.row] if feature.row else []), *named]


def _words(feature: Feature) -> set[str]:
    """Names in a derived feature's texts, its window filled in."""
    labels = [window.text.replace(" ", "") for window in feature.windows] or [""]
    filled = [text.replace("{window}", label) for text in _texts(feature) for label in labels]
    return {
        word for text in filled for part in _LITERAL.split(text)[::2] for word in re.findall(r"(?<![\w.])\w+", part)
    }


def _renamed(feature: Feature, names: Mapping[str, str]) -> Feature:
    """The same feature with what it is made from, and what its words name, under their new names."""
    either = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    word = re.compile(rf"(?<![\w.])(?:{either})(?![\w{{(])")

    def told(text: str) -> str:
        parts = _LITERAL.split(text)
        parts[::2] = [word.sub(lambda match: names[match.group()], part) for part in parts[::2]]
        return "".join(parts)

    said = feature.say and re.sub(r"\{(\w+)\}", lambda m: "{" + names.get(m.group(1), m.group(1)) + "}", feature.say)
    function = feature.python
    changed = {
        "ratio": feature.ratio and (told(feature.ratio[0]), told(feature.ratio[1])),
        "row": feature.row and told(feature.row),
        "python": function and function.model_copy(update={"of": [told(text) for text in function.of]}),
        "say": said,
    }
    return feature.model_copy(update=changed)
