"""From a drafted contract and the column to be predicted to a feature group and a use case, to be looked through by people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from finlake.contracts.drafting.outcome import Outcome, outcome_of, separation, tells
from finlake.contracts.drafting.profile import Guess
from finlake.contracts.drafting.proposal import Proposal
from finlake.contracts.drafting.source import noted, scalar
from finlake.errors import InputError, suggestion

_ENTITIES = 20
_SHARE_CALLED = 0.01


@dataclass
class UseCaseDraft:
    """Texts of both files, and what the contract has to add."""

    name: str
    group: str
    group_text: str
    text: str
    later: list[tuple[list[str], str, str]]


def propose_use_case(made: Proposal, source: str, label: str, last: datetime | None = None) -> UseCaseDraft:
    """A use case that predicts `label`, a column of the drafted file. `last` is the file's last event, beyond the sample.

    Raises:
        InputError: the file has no such column, no times, or the column has one value only.
    """
    target = made.guess(label)
    if target is None:
        raise InputError(f"the file has no column {label!r}{suggestion(label, [g.raw for g in made.guesses])}")
    if made.happened_at is None or made.happened_at.moments is None:
        raise InputError("no column looks like a time, so nothing can be learnt from the past; add one and draft again")
    first, end = _span(made, last)
    outcome = outcome_of(made, target, (end - first).days)
    later = [guess for guess in (target, outcome.clock_column) if guess]
    later += [guess for guess in made.guesses if guess.name in made.later and guess not in later]
    leaks = [guess for guess in made.guesses if guess not in later and tells(guess, outcome.hits)]
    usable = [guess for guess in made.guesses if guess not in later and guess not in leaks]
    entity = _entity(made, usable)
    name = f"{source}_{target.name}"
    group = f"{source}_history" if entity else f"{source}_facts"
    numbers = [guess for guess in usable if guess.type in ("money", "number", "integer") and guess.name not in made.key]
    group_text, has_group = _group(made, group, source, entity, usable)
    if entity:
        group_text += _past(name, source, target, entity, outcome.matures, (end - first).days)
    features = ([group] if has_group else []) + [f"this.{guess.name}" for guess in numbers]
    if not features:
        raise InputError("no column is left to learn from: every other one is a key, a time, private or too varied")
    text = _use_case(made, name, source, target, outcome, features, later, leaks, entity, numbers, (first, end))
    columns = [guess.name for guess in later if guess.name not in made.later]
    new = [] if target.name in made.later else [(columns, outcome.clock, outcome.why)]
    return UseCaseDraft(name, group if has_group else "", group_text, text, new)


def _span(made: Proposal, last: datetime | None) -> tuple[datetime, datetime]:
    assert made.happened_at is not None and made.happened_at.moments is not None
    moments = [moment for moment in made.happened_at.moments.values if moment]
    return min(moments), max([*moments, *([last] if last else [])])


def _entity(made: Proposal, usable: list[Guess]) -> Guess | None:
    able = [
        guess
        for guess in usable
        if (guess.hints("identifier") or guess.hints("entity") or guess.pii == "pan")
        and guess.type == "text"
        and guess.moments is None
        and guess.name not in made.key
        and guess.filled >= 0.99 * guess.rows
        and len(guess.distinct) >= _ENTITIES
        and guess.repeats >= 1.5
    ]
    return max(able, key=lambda guess: len(guess.distinct), default=None)


def _group(made: Proposal, name: str, source: str, entity: Guess | None, usable: list[Guess]) -> tuple[str, bool]:
    about = entity or made.guess(made.key[0])
    assert about is not None and made.happened_at is not None
    rows, whom = source.replace("_", " "), about.name.replace("_", " ")
    lines = [
        "# yaml-language-server: $schema=../schema/features.json",
        "# Drafted: keep what makes sense to someone who knows the business, and say it in `say`, the words of the reasons.",
        f"group: {name}",
        f"about: {scalar(f'What is known about a row of {rows}, and about its {whom} from before.')}",
        f"entity: {about.name}",
        f"source: {source}",
        "features:",
    ]
    before = len(lines)
    if entity is not None:
        lines += _windows(made, rows, whom, usable)
    zone = made.zone[0]
    if made.happened_at.type == "timestamp":
        lines += [f"  hour_of_{made.happened_at.name}:", f'    row: "hour(this.{made.happened_at.name})"', f"    zone: {zone}",
                  '    say: "it happened in hour {value} of the day"']  # fmt: skip
    for guess in usable:
        if guess.name in made.key or guess is entity or guess.pii or guess.moments:
            continue
        if guess.type == "boolean":
            lines += [f"  is_{guess.name}:", f'    row: "this.{guess.name}"', f'    say: "{_words(guess)}: {{value}}"']
        elif guess.type == "text" and not guess.nested and 2 <= len(guess.distinct) <= 8:
            lines += _one_hot(guess)
    return "\n".join(lines) + "\n", len(lines) > before


def _past(name: str, source: str, target: Guess, entity: Guess, matures: int, days: int) -> str:
    """How often earlier rows of the entity turned out positive, as far as that was known by then."""
    window = max(7, min(180, days // 2))
    rows, whom = source.replace("_", " "), entity.name.replace("_", " ")
    lines = [
        f"  {target.name}_share_before:",
        noted(f'    share: "label({name}) = 1"', "as known by then, never by what was learnt later"),
        f"    windows: [{window}d]",
        noted(f"    ends_before: {matures}d", "rows of which the outcome can be known"),
        f'    say: "{{value}} of earlier {rows} of this {whom} turned out {_words(target)}"',
    ]
    return "\n".join(lines) + "\n"


def _windows(made: Proposal, rows: str, whom: str, usable: list[Guess]) -> list[str]:
    stem = rows.replace(" ", "_")
    lines = [
        f"  {stem}_{{window}}:", "    count: rows", "    windows: [1d, 7d, 30d]",
        f'    say: "{{value}} {rows} of this {whom} in the last {{window}}; usual for it: {{usual}}"',
        "  days_since_last:", "    time_since: last row", "    unit: days",
        f'    say: "{{value}} days since the last row of this {whom}"',
    ]  # fmt: skip
    for guess in [guess for guess in usable if guess.type == "money" and guess.name not in made.key][:3]:
        words = _words(guess)
        lines += [
            f"  {guess.name}_mean_30d:", f"    mean: {guess.name}", "    windows: [30d]",
            f'    say: "{words} of this {whom} was {{value}} on average in the last 30 days"',
            f"  {guess.name}_vs_usual:", f"    ratio: [this.{guess.name}, {guess.name}_mean_30d]", "    unit: times",
            f'    say: "{words} is {{value}} times the 30-day average of this {whom} ({{{guess.name}_mean_30d}})"',
        ]  # fmt: skip
    return lines


def _one_hot(guess: Guess) -> list[str]:
    from finlake.contracts.drafting.profile import snake

    lines, used = [], set()
    for value, _ in guess.distinct.most_common(6):
        name = f"{guess.name}_{snake(value)}"
        if name in used:
            continue
        used.add(name)
        quoted = value.replace("'", "''")
        condition, said = f"this.{guess.name} = '{quoted}'", f"{_words(guess)} is {value}: {{value}}"
        lines += [f"  {name}:", f"    row: {scalar(condition)}", f"    say: {_quoted(said)}"]
    return lines


def _quoted(text: str) -> str:
    made = scalar(text)
    return made if made.startswith('"') else f'"{made}"'


def _words(guess: Guess) -> str:
    return guess.name.replace("_", " ")


def _use_case(
    made: Proposal,
    name: str,
    source: str,
    target: Guess,
    outcome: Outcome,
    features: list[str],
    later: list[Guess],
    leaks: list[Guess],
    entity: Guess | None,
    numbers: list[Guess],
    span: tuple[datetime, datetime],
) -> str:
    rate = sum(hit is True for hit in outcome.hits) / max(sum(hit is not None for hit in outcome.hits), 1)
    unsure = [guess.name for guess in leaks]
    lines = [
        "# yaml-language-server: $schema=../schema/use_case.json",
        f"# Drafted for {target.raw}: {rate:.2%} of the sampled rows are positive.",
        f"use_case: {name}",
        f"purpose: {scalar(f'Say what a score of {name} leads to, and for whom.')}",
        "owner: you@example.com",
        "approver: someone-else@example.com",
        noted("materiality: medium", "low, medium or high: how much rests on these decisions"),
        noted(f"zone: {made.zone[0]}", "where business days begin and end"),
        f"score: {{each: {source}, as_of: known_at}}",
        "label:",
        f"  name: {target.name}",
        noted(f"  positive: {scalar(outcome.condition)}", "CONFIRM: which values mean that it happened?"),
        f"  from: {{source: {source}}}",
        noted(f"  matures_after: {outcome.matures}d", "no positive until then means negative; " + outcome.why),
        "features:",
        *(f"  - {feature}" for feature in features),
        noted(
            f"never: {scalar([guess.name for guess in [*later, *leaks]])}",
            f"{', '.join(unsure)} nearly tell the label alone: surely known only later"
            if unsure
            else "the label, and what is known with it",
        ),
        *_split(span, outcome.matures),
        *_rule(numbers, outcome, entity, source),
        "model:",
        "  algorithm: xgboost",
        "  search: {trials: 10, seed: 7}",
        *_policy(made, rate, entity, numbers, span),
        "gates:",
        "  better_than: {models: [baseline_rule, logistic_regression, champion], metric: average_precision, by: 0}",
        "  calibrated: {predicted_to_observed: [0.8, 1.25], by: all}",
        "  leaks: none",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _split(span: tuple[datetime, datetime], matures: int) -> list[str]:
    days = (span[1] - span[0]) // timedelta(days=1) - matures - 1
    gap = matures if days - 2 * matures >= 20 else 0
    usable = max(days - 2 * gap, 4)
    test, choose = max(usable * 25 // 100, 1), max(usable * 15 // 100, 1)
    train = max(usable - test - choose - 1, 1)
    why = f"the file spans {(span[1] - span[0]).days} days"
    short = "" if gap else "; too short for gaps as long as the label needs: ask for more history"
    return [
        noted(f"split: {{train: {train}d, choose: {choose}d, test: {test}d, gap_before_each: {gap}d}}", why + short)
    ]


def _tail(ordered: list[float], *, upper: bool) -> str:
    """`>= x` or `<= x`: about a tenth of the values, never none and never all of them."""
    edge = ordered[int(0.9 * len(ordered))] if upper else ordered[int(0.1 * len(ordered))]
    if upper and edge == ordered[0]:
        edge = next(value for value in ordered if value > edge)
    if not upper and edge == ordered[-1]:
        edge = next(value for value in reversed(ordered) if value < edge)
    return f"{'>=' if upper else '<='} {edge:g}"


def _rule(numbers: list[Guess], outcome: Outcome, entity: Guess | None, source: str) -> list[str]:
    best: tuple[float, str] = (0.0, "")
    for guess in numbers:
        pairs = [
            (n, hit) for n, hit in zip(guess.numbers, outcome.hits, strict=True) if n is not None and hit is not None
        ]
        if len(pairs) < 100:
            continue
        area = separation(pairs)
        ordered = sorted(n for n, _ in pairs)
        if ordered[0] == ordered[-1]:
            continue
        rule = f"this.{guess.name} {_tail(ordered, upper=area >= 0.5)}"
        best = max(best, (abs(area - 0.5), rule))
    if not best[1]:
        best = (0.0, f"{source}_7d >= 3" if entity else f"this.{numbers[0].name} > 0" if numbers else "1 = 1")
    return [
        noted(
            f"baseline_rule: {scalar(best[1])}",
            "WRITE WHAT PEOPLE USE TODAY; this is the end of the one column that tells most in the sample",
        )
    ]


def _policy(
    made: Proposal, rate: float, entity: Guess | None, numbers: list[Guess], span: tuple[datetime, datetime]
) -> list[str]:
    money = [guess.name for guess in numbers if guess.type == "money"]
    value = [noted(f"  value: this.{money[0]}", "what is lost when a positive is missed")] if money else []
    daily = made.sample.rows / max((span[1] - span[0]).days, 1)
    if entity is not None and daily >= 20:
        calls = max(3, round(daily * _SHARE_CALLED))
        return [
            "policy:",
            noted(f"  alerts_per_day: {calls}", f"a hundredth of {daily:,.0f} rows a day"),
            f"  one_alert_per: {entity.name}",
            *value,
        ]
    low = min(max(round(rate, 3), 0.001), 0.5)
    high = min(max(round(3 * rate, 3), low), 0.9)
    return ["policy:", noted(f"  approve_below: {low:g}", "the share of positives in the sample"),
            noted(f"  decline_above: {high:g}", "three times that; between them a person decides"), *value]  # fmt: skip
