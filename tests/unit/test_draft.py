"""A drafted contract loads, resolves, and says what the file is."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from draft_zoo import claims, delimited, write_zoo

from finlake.cli.check import all_problems
from finlake.cli.main import cli
from finlake.config import Config, Source, UseCase, survey
from finlake.errors import InputError


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_zoo(tmp_path_factory.mktemp("zoo"))


def drafted(tmp_path: Path, file: Path, *options: str) -> Config:
    """The configuration that `finlake draft --write` makes in an empty folder."""
    run = CliRunner().invoke(
        cli, ["draft", str(file), "--name", "things", "--write", "--conf", str(tmp_path / "conf"), *options]
    )
    if run.exception and not isinstance(run.exception, SystemExit):
        raise run.exception
    assert run.exit_code == 0, run.output
    return survey(tmp_path / "conf")


def contract(tmp_path: Path, file: Path) -> Source:
    config = drafted(tmp_path, file)
    assert [str(problem) for problem in all_problems(config, None)] == []
    return config.source("things")


ZOO = ["american.csv", "bom.csv", "columns.parquet", "compact.csv", "epoch.csv", "german.csv", "headless.csv", "latin.csv", "lines.jsonl",
       "lines.jsonl.gz", "packed.csv.gz", "pipes.csv", "plain.csv", "repeated.csv", "rows.xml", "wide.csv"]  # fmt: skip


@pytest.mark.parametrize("name", ZOO)
def test_every_file_of_the_zoo_gives_a_contract_without_problems(
    tmp_path: Path, zoo: dict[str, Path], name: str
) -> None:
    made = contract(tmp_path, zoo[name])
    assert made.key
    assert made.happened_at in made.silver_columns


def test_the_zoo_is_whole(zoo: dict[str, Path]) -> None:
    assert sorted(zoo) == ZOO


@pytest.mark.parametrize(
    "name",
    [
        "plain.csv",
        "bom.csv",
        "packed.csv.gz",
        "german.csv",
        "american.csv",
        "columns.parquet",
        "lines.jsonl",
        "wide.csv",
    ],
)
def test_types_key_clocks_and_private_columns_are_found(tmp_path: Path, zoo: dict[str, Path], name: str) -> None:
    made = contract(tmp_path, zoo[name])
    kinds = {column: item.type for column, item in made.silver_columns.items()}
    assert kinds["amount"] == "money"
    assert kinds["happened"] == kinds["reported"] == "timestamp"
    assert kinds["closed_on"] == "date"
    assert kinds["paid"] == "boolean"
    assert made.key == ["claim_no"]
    assert (made.happened_at, made.known_at.column, made.latest_by) == ("happened", "reported", "reported")
    assert made.silver_columns["card_token"].pii == "pan"
    assert made.silver_columns["e_mail"].pii == "email"
    assert made.columns["Claim No"].required


def test_german_files_keep_their_marks(tmp_path: Path, zoo: dict[str, Path]) -> None:
    made = contract(tmp_path, zoo["german.csv"])
    assert (made.read.delimiter, made.read.decimal, made.read.encoding) == (";", ",", "latin-1")
    assert made.columns["Happened"].format == "dd.MM.yyyy HH:mm"
    assert made.zone == "Europe/Berlin"
    assert made.columns["Amount"].currency == "EUR"


def test_windows_characters_are_told_from_latin_1(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_bytes(
        ("id;day;note\n" + "".join(f"A{i};2024-01-{1 + i % 28:02d};5 € – ok\n" for i in range(50))).encode("cp1252")
    )
    assert contract(tmp_path, file).read.encoding == "cp1252"


def test_american_days_and_half_days_are_told_apart(tmp_path: Path, zoo: dict[str, Path]) -> None:
    made = contract(tmp_path, zoo["american.csv"])
    assert made.columns["Happened"].format == "MM/dd/yyyy hh:mm a"
    assert made.read.null_words == ["", "N/A"]


def test_words_for_nothing_are_found(tmp_path: Path, zoo: dict[str, Path]) -> None:
    assert contract(tmp_path, zoo["pipes.csv"]).read.null_words == ["", "NULL"]


def test_a_file_without_header_gets_columns_in_order(tmp_path: Path, zoo: dict[str, Path]) -> None:
    made = contract(tmp_path, zoo["headless.csv"])
    assert made.read.header is False
    assert list(made.columns)[:2] == ["column_1", "column_2"]


def test_seconds_since_1970_and_bare_digits_are_times_where_the_name_says_so(
    tmp_path: Path, zoo: dict[str, Path]
) -> None:
    assert contract(tmp_path / "a", zoo["epoch.csv"]).columns["event_ts_epoch"].format == "epoch_s"
    assert contract(tmp_path / "b", zoo["compact.csv"]).columns["value_date"].format == "yyyyMMdd"


def test_two_columns_are_the_key_where_none_is(tmp_path: Path, zoo: dict[str, Path]) -> None:
    assert sorted(contract(tmp_path, zoo["repeated.csv"]).key) == ["day", "shop"]


def test_the_row_element_of_xml_is_found(tmp_path: Path, zoo: dict[str, Path]) -> None:
    assert contract(tmp_path, zoo["rows.xml"]).read.row_tag == "claim"


def test_corrections_are_recognised(tmp_path: Path) -> None:
    rows = claims(500)
    again = [{**row, "Amount": 1.0, "Reported": row["Closed On"]} for row in rows[:10]]
    file = tmp_path / "claims.csv"
    file.write_text(delimited([*rows, *again]), "utf-8")
    made = drafted(tmp_path, file).source("things")
    assert made.key == ["claim_no"]
    assert made.latest_by == "reported"


def test_a_table_without_times_says_so_and_check_complains(tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_text("client_id,district\n" + "".join(f"{i},{i % 7}\n" for i in range(100)), "utf-8")
    config = drafted(tmp_path, file)
    assert any("happened_at" in str(problem) for problem in all_problems(config, None))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\xff\xfe", "holds no text"),
        (b"a,b,c\n", "no rows"),
        (b"a,b,a\n1,2,3\n", "several columns called .a. .1, 3."),
        (b'[{"a": 1}]', "one object a line"),
        (b"\x1f\x8b\x08\x00", "cannot be decompressed"),
        (b"PAR1broken", "not a whole Parquet file"),
        (b"\x00\x01\x02\x03\xff\xfe" * 50, "not text"),
        (b"made by nobody\n\nmore words\n" + b"a,b,c\n" + b"1,2,3\n" * 50, "the table begins at line"),
    ],
)
def test_a_file_that_cannot_be_drafted_is_refused_with_the_reason(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "some.file"
    file.write_bytes(content)
    with pytest.raises(InputError, match=says):
        drafted(tmp_path, file)


def test_nothing_is_overwritten(tmp_path: Path, zoo: dict[str, Path]) -> None:
    contract(tmp_path, zoo["plain.csv"])
    run = CliRunner().invoke(
        cli, ["draft", str(zoo["plain.csv"]), "--name", "things", "--write", "--conf", str(tmp_path / "conf")]
    )
    assert run.exit_code != 0
    assert "is there already" in str(run.exception)


def test_a_use_case_is_drafted_with_its_label_known_later(tmp_path: Path, zoo: dict[str, Path]) -> None:
    config = drafted(tmp_path, zoo["plain.csv"], "--use-case", "Fraud")
    assert [str(problem) for problem in all_problems(config, None)] == []
    made: UseCase = config.use_case("things_fraud")
    source = config.source("things")
    assert source.known_later[0].known_at.column == "closed_on"
    assert set(source.known_later[0].columns) == {"fraud", "closed_on"}
    assert config.groups["things_history"].entity == "policy"
    assert "this.amount" in made.features


def test_a_time_called_like_the_label_says_when_it_is_known_and_numbers_of_customers_are_names(tmp_path: Path) -> None:
    file = tmp_path / "Rechnungen.csv"
    days = [datetime(2024, 1, 1) + timedelta(days=n // 2) for n in range(600)]
    lines = [
        f"R{n};{1000 + n % 60};{n % 60};{day:%d.%m.%Y};{n},50;{'J' if n % 9 == 0 else 'N'};"
        f"{day + timedelta(days=40):%d.%m.%Y};{day + timedelta(days=9):%d.%m.%Y}"
        for n, day in enumerate(days)
    ]
    header = "Nr;Kunde;Kunde Alter;Datum;Betrag;Ausgefallen;Ausgefallen am;Outcome on"
    file.write_text("\n".join([header, *lines]) + "\n")
    config = drafted(tmp_path, file, "--use-case", "Ausgefallen")
    assert [str(problem) for problem in all_problems(config, None)] == []
    source, made = config.source("things"), config.use_case("things_ausgefallen")
    assert (source.columns["Kunde"].type, source.columns["Kunde Alter"].type) == ("text", "integer")
    assert config.groups["things_history"].entity == "kunde"
    (later,) = source.known_later
    assert (later.columns, later.known_at.column) == (["ausgefallen", "ausgefallen_am"], "ausgefallen_am")
    assert source.columns["Ausgefallen"].type == "boolean"
    assert {"ausgefallen", "ausgefallen_am"} <= set(made.never)
    assert made.label.matures_after.days == 41


def test_a_month_is_known_when_it_is_over(tmp_path: Path) -> None:
    file = tmp_path / "loans.csv"
    months = [datetime(2015 + n // 12, 1 + n % 12, 1) for n in range(60)]
    lines = [
        f"L{n},{months[n // 10]:%b-%Y},{months[n // 10 + 6]:%b-%Y},{n % 9},{'bad' if n % 7 == 0 else 'paid'}"
        for n in range(500)
    ]
    file.write_text("\n".join(["loan_id,issued,settled,size,status", *lines]) + "\n")
    config = drafted(tmp_path, file, "--use-case", "status")
    assert [str(problem) for problem in all_problems(config, None)] == []
    source = config.source("things")
    assert (source.columns["issued"].type, source.columns["issued"].format) == ("date", "MMM-yyyy")
    clocks = [source.known_at, source.known_later[0].known_at]
    assert [(clock.column, clock.plus.days if clock.plus else 0) for clock in clocks] == [
        ("happened_at", 31),
        ("settled", 31),
    ]


def test_a_column_that_gives_the_label_away_is_put_under_never(tmp_path: Path, zoo: dict[str, Path]) -> None:
    made = drafted(tmp_path, zoo["plain.csv"], "--use-case", "Fraud").use_case("things_fraud")
    assert "recovered" in made.never
    assert "this.recovered" not in made.features


def test_a_measured_outcome_counts_above_nought(tmp_path: Path) -> None:
    file = tmp_path / "invoices.csv"
    days = [datetime(2024, 1, 1) + timedelta(days=n) for n in range(300)]
    lines = [f"I{n},C{n % 30},{day:%Y-%m-%d},{n}.5,{n % 40 - 20}" for n, day in enumerate(days)]
    file.write_text("\n".join(["invoice,customer_id,invoiced_on,amount,days_late", *lines]) + "\n")
    config = drafted(tmp_path, file, "--use-case", "days_late")
    assert [str(problem) for problem in all_problems(config, None)] == []
    assert config.use_case("things_days_late").label.positive == "days_late > 0"


def test_an_unknown_label_is_answered_with_the_nearest_column(tmp_path: Path, zoo: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="did you mean 'Fraud'"):
        drafted(tmp_path, zoo["plain.csv"], "--use-case", "Fruad")


def test_public_files_give_contracts_that_load(tmp_path: Path, zoo: dict[str, Path]) -> None:
    """With FINLAKE_DATA the files of that folder, else only the generated ones."""
    folder = os.environ.get("FINLAKE_DATA")
    public = [path for path in Path(folder).rglob("*") if path.suffix in (".gz", ".parquet")] if folder else []
    for number, file in enumerate([*zoo.values(), *sorted(public)]):
        try:
            config = drafted(tmp_path / str(number), file)
        except InputError as error:
            assert "the table begins at line" in str(error), file
        else:
            assert [str(problem) for problem in config.problems] == [], file


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_lists_and_objects_are_texts_and_nothing_asks_for_their_spelling(tmp_path: Path, form: str, steps: int) -> None:
    rows = [
        {"id": f"A{i}", "day": f"2024-{1 + i // 56:02d}-{1 + i % 28:02d}", "tags": ["a", "b"][: i % 3], "kind": "xy"[i % 2],
         "at": {"shop": i % 2}, "fraud": i % 20 == 0}
        for i in range(600)
    ]  # fmt: skip
    file = tmp_path / f"rows.{form}"
    if form == "jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(rows), file)
    if steps == 2:
        drafted(tmp_path, file)
    config = drafted(tmp_path, file, "--use-case", "fraud")
    columns = config.source("things").columns
    assert columns["tags"].type == columns["at"].type == "text"
    rules, features = (
        str(config.source("things").expect),
        (tmp_path / "conf/features/things_facts.yml").read_text("utf-8"),
    )
    assert "'kind'" in rules and "this.kind = 'x'" in features
    assert not any(word in rules for word in ("'tags'", "'at'"))
    assert not any(word in features for word in ("this.tags", "this.at"))


def test_bytes_of_parquet_are_told_as_ingest_takes_them(tmp_path: Path) -> None:
    rows = [
        {"id": f"A{i}", "day": f"2024-01-{1 + i % 28:02d}", "mark": [b"ok", b"\xff\x00"][i % 2]} for i in range(400)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    assert "['FF00', 'ok']" in str(contract(tmp_path, tmp_path / "rows.parquet").expect)
