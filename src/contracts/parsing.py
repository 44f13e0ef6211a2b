"""Received texts become typed values, and every cell that cannot says why. Spark expressions only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config import Column as ColumnContract
from finlake.config import Source
from finlake.contracts import times
from finlake.contracts.checks import Check
from finlake.contracts.contract import BRONZE_META, currency_columns, needed_columns, silver_type
from finlake.contracts.masking import mask_pans

BLANKS = " \t\r\n\u00a0\u202f\ufeff"
_BETWEEN = "' \u00a0\u202f’"  # between groups of three digits, beside the comma or point that is not the decimal mark
NOT_FINITE = r"^(?i)[+-]?(inf|infinity|nan|1\.#inf|1\.#qnan)$"
_KEPT = tuple(name for name in BRONZE_META if name != "_extra")


@dataclass(frozen=True)
class Flaw:
    """One way a cell can be wrong. Rule and reason are sentences without the column's name in front."""

    rule: str
    reason: str
    found: Column
    shown: Column | None = None


@dataclass
class Reading:
    """How one column is read: layers of helper columns, the value made of them, and what can be wrong.

    The first flaw that is found is the reason. `doubts` are remarks that keep the value.
    """

    value: Column
    layers: list[dict[str, Column]] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    doubts: list[Flaw] = field(default_factory=list)


@dataclass(frozen=True)
class Parsed:
    """Typed rows (silver names, `_row_id`, bronze's own columns, in `_raw` the texts as received) and their checks."""

    frame: DataFrame
    checks: list[Check]


def row_id() -> Column:
    """Names a bronze row for good: digest of its file, and its number in it."""
    return F.concat(F.substring("_file_digest", 1, 16), F.lit("-"), F.col("_row"))


def parse(bronze: DataFrame, source: Source) -> Parsed:
    """Types every column by its contract.

    A cell that cannot be read is null and has a failed check; blanks around values and the contract's words for "no
    value" become null. A column that bronze does not hold is looked for among the columns it arrived with (`_extra`).
    """
    received = {name: _received(bronze, name, column) for name, column in source.columns.items()}
    raw = F.array(*received.values())
    texts = [
        _clean(received[name], source.read.null_words).alias(f"_t_{column.as_ or name}")
        for name, column in source.columns.items()
    ]
    frame = bronze.select(*_KEPT, row_id().alias("_row_id"), raw.alias("_raw"), *texts)
    readings = {name: read_column(name, column, source) for name, column in source.silver_columns.items()}
    coded = {f"_t_{name}": _code(name, column) for name, column in source.silver_columns.items() if column.codes}
    if coded:  # Spark Connect refuses to add no columns
        frame = frame.withColumns({**{f"_r_{name[3:]}": F.col(name) for name in coded}, **coded})
    for depth in range(max((len(reading.layers) for reading in readings.values()), default=0)):
        layer = [reading.layers[depth] for reading in readings.values() if depth < len(reading.layers)]
        frame = frame.withColumns({name: helper for helpers in layer for name, helper in helpers.items()})
    states, values, checks = [], [], [*_whole_row(source)]
    needed = needed_columns(source)
    for name, reading in readings.items():
        arrived = F.col(f"_r_{name}" if source.silver_columns[name].codes else f"_t_{name}")
        flaws = [*_code_flaw(name, source.silver_columns[name]), *reading.flaws]
        states.append(_state(arrived, flaws).alias(name))
        checks += _checks(name, flaws, name in needed)
        checks += [_doubt(name, position, doubt) for position, doubt in enumerate(reading.doubts)]
        values.append(reading.value.alias(name))
    doubts = [
        F.coalesce(d.found, F.lit(False)).alias(f"_d_{n}_{i}")
        for n, r in readings.items()
        for i, d in enumerate(r.doubts)
    ]
    shown = [F.col(f"_r_{name[3:]}") for name in coded]
    typed = frame.select(*_KEPT, "_row_id", "_raw", F.struct(*states).alias("_state"), *values, *doubts, *shown)
    return Parsed(typed, checks)


def read_column(name: str, column: ColumnContract, source: Source) -> Reading:
    """The reading of one column, over its cleaned text `_t_<name>`."""
    text = F.col(f"_t_{name}")
    if column.type == "text":
        return _text(name, column, source)
    if column.type in ("integer", "number", "money"):
        return _numeric(name, column, source)
    if column.type == "boolean":
        return _boolean(name, column)
    reading = times.read_time(name, text, column, column.zone or source.zone)
    flaws = [Flaw(*flaw) for flaw in reading.flaws]
    return Reading(reading.value, reading.layers, flaws, [Flaw(*doubt) for doubt in reading.doubts])


def _received(bronze: DataFrame, name: str, column: ColumnContract) -> Column:
    extra = [F.col("_extra")[header] for header in (name, *column.names)] if "_extra" in bronze.columns else []
    own = [F.col(f"`{name}`")] if name in bronze.columns else []
    return F.coalesce(*own, *extra) if own or extra else F.lit(None).cast("string")


def _clean(value: Column, null_words: list[str]) -> Column:
    text = F.btrim(value, F.lit(BLANKS))
    return F.when(text.isin("", *(word.strip(BLANKS) for word in null_words)), None).otherwise(text)


def _code(name: str, column: ColumnContract) -> Column:
    pairs = [F.lit(text) for pair in column.codes.items() for text in pair]
    return F.create_map(*pairs)[F.col(f"_t_{name}")]


def _text(name: str, column: ColumnContract, source: Source) -> Reading:
    text = F.col(f"_t_{name}")
    if column.pii == "pan":
        strange = Flaw("holds a card number", "is not a card number", text.startswith("tok_invalid_"))
        open_ = Flaw(
            "holds a token", "is a card number that was not tokenised when it arrived", ~text.startswith("tok_")
        )
        return Reading(text, flaws=[strange, open_])
    if name in currency_columns(source).values():
        code = F.upper(text)
        return Reading(
            code, flaws=[Flaw("is a currency code", "is not a currency code like EUR", ~code.rlike("^[A-Z]{3}$"))]
        )
    return Reading(text)


def _numeric(name: str, column: ColumnContract, source: Source) -> Reading:
    text, plain = F.col(f"_t_{name}"), F.col(f"_n_{name}")
    comma = source.read.decimal == ","
    mark, between = (",", f".{_BETWEEN}") if comma else (".", f",{_BETWEEN}")
    whole = rf"(\d+|\d{{1,3}}([{between}]\d{{3}})+)"
    shape = rf"^[+-]?({whole}([{mark}]\d*)?|[{mark}]\d+)([eE][+-]?\d+)?$"
    bare = F.translate(text, f",{between}", ".") if comma else F.translate(text, between, "")
    simple = text.rlike(r"^-?\d++(\.\d++)?$") if not comma else text.rlike(r"^-?\d++$")
    layers = [{f"_n_{name}": F.when(simple, text).when(text.rlike(shape), bare)}]
    kind = "a whole number" if column.type == "integer" else "a number"
    flaws = [
        Flaw("is a finite number", "is not a finite number", plain.isNull() & text.rlike(NOT_FINITE)),
        Flaw(f"is {kind}", f"is not {kind}", plain.isNull()),
    ]
    if column.type == "number":
        value = plain.try_cast("double")
        infinite = F.abs(value) == F.lit(float("inf"))
        return Reading(
            F.when(~infinite, value), layers, [*flaws, Flaw("is in range", "is not a finite number", infinite)]
        )
    exact = plain.try_cast("decimal(38,18)")
    layers.append({f"_e_{name}": exact if column.type == "money" else plain.try_cast("decimal(38,9)")})
    scaled, kind_of = F.col(f"_e_{name}"), silver_type(column)
    value = scaled.try_cast(kind_of)
    if column.type == "integer":
        flaws.append(Flaw("has no fraction", f"is not {kind}", scaled != F.floor(scaled)))
        flaws.append(Flaw("is in range", "is too large for a whole number", value.isNull()))
        return Reading(F.when(scaled == F.floor(scaled), value), layers, flaws)
    places = "decimal" if column.decimals == 1 else "decimals"
    exact_enough = value == scaled
    flaws.append(Flaw("is in range", "is too large for money", value.isNull()))
    flaws.append(
        Flaw(f"has at most {column.decimals} {places}", f"has more than {column.decimals} {places}", ~exact_enough)
    )
    if name in currency_columns(source):
        currency = currency_columns(source)[name]
        flaws.append(
            Flaw("has a currency", f"has no currency, because {currency} is missing", F.col(f"_t_{currency}").isNull())
        )
    return Reading(F.when(exact_enough, value), layers, flaws)


def _boolean(name: str, column: ColumnContract) -> Reading:
    word = F.lower(F.col(f"_t_{name}"))
    true = word.isin([w.lower() for w in column.true_words])
    false = word.isin([w.lower() for w in column.false_words])
    value = F.when(true, F.lit(True)).when(false, F.lit(False))
    words = (
        f"{column.true_words[0]} or {column.false_words[0]}"
        if column.true_words and column.false_words
        else "yes or no"
    )
    return Reading(value, flaws=[Flaw(f"is {words}", f"is neither {words.replace(' or ', ' nor ')}", ~(true | false))])


def _code_flaw(name: str, column: ColumnContract) -> list[Flaw]:
    if not column.codes:
        return []
    arrived, mapped = F.col(f"_r_{name}"), F.col(f"_t_{name}")
    code = F.left(mask_pans(arrived), F.lit(40))
    shown = None if column.pii else F.concat(F.lit(f"{name} has an unknown code '"), code, F.lit("'"))
    return [Flaw("has a known code", "has an unknown code", arrived.isNotNull() & mapped.isNull(), shown)]


def _state(arrived: Column, flaws: list[Flaw]) -> Column:
    """-1 where nothing arrived, else the number (from 1) of the first flaw that is found, else 0."""
    state = F.lit(0)
    for position, flaw in reversed(list(enumerate(flaws, start=1))):
        state = F.when(flaw.found, F.lit(position)).otherwise(state)
    return F.when(arrived.isNull(), F.lit(-1)).otherwise(state)


def _checks(name: str, flaws: list[Flaw], needed: bool) -> Iterator[Check]:
    readable, state = F.col("_corrupt").isNull(), F.col(f"_state.`{name}`")
    if needed:
        missing = readable & (state == -1)
        yield Check(f"{name} is present", f"{name} is missing", "required", (name,), readable, missing)
    for position, flaw in enumerate(flaws, start=1):
        yield Check(
            rule=f"{name} {flaw.rule}",
            reason=f"{name} {flaw.reason}",
            expectation="type",
            columns=(name,),
            checked=readable & (state >= 0),
            failed=readable & (state == position),
            detail=flaw.shown,
        )


def _doubt(name: str, position: int, doubt: Flaw) -> Check:
    return Check(
        rule=f"{name} {doubt.rule}",
        reason=f"{name} {doubt.reason}",
        expectation="type",
        columns=(name,),
        checked=F.col(name).isNotNull(),
        failed=F.col(f"_d_{name}_{position}"),
        severity="warn",
    )


def _whole_row(source: Source) -> Iterator[Check]:
    """Whether the row could be read, and whether its bytes were characters."""
    corrupt = F.col("_corrupt").isNotNull()
    foreign = F.coalesce(F.col("_corrupt").rlike(r"^not valid [A-Za-z0-9_-]+$"), F.lit(False))
    reason = f"the row could not be read: {_UNREADABLE[source.read.format]}"
    yield Check("the row can be read", reason, "readable", (), F.lit(True), corrupt & ~foreign)
    reason = f"the row holds bytes that are not {source.read.encoding}"
    yield Check(f"the row is {source.read.encoding}", reason, "encoding", (), F.lit(True), foreign)


_UNREADABLE = {
    "csv": "wrong number of fields, or a quote that does not close",
    "jsonl": "not exactly one JSON object, or a key twice",
    "xml": "broken XML",
    "parquet": "damaged",
}
