"""A use case is drafted on the contract that is there, not on a second guess."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from draft_zoo import claims, delimited, write_zoo

from finlake.cli.check import all_problems
from finlake.cli.draft import last_event
from finlake.cli.main import cli
from finlake.config import Config, survey
from finlake.contracts.drafting.by_format import reader_of
from finlake.contracts.drafting.contracted import contracted
from finlake.errors import ConfigError, InputError


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file and its drafted contract; days of this file can be read in two ways."""
    folder = tmp_path_factory.mktemp("begun")
    rows = [{**row, "Happened": row["Happened"].replace(day=1 + n % 12)} for n, row in enumerate(claims(400))]
    (folder / "claims.csv").write_text(delimited(rows, ";", times="%m/%d/%Y %H:%M"), "utf-8")
    draft(folder, "--write")
    return folder


@pytest.fixture
def folder(begun: Path, tmp_path: Path) -> Path:
    return shutil.copytree(begun, tmp_path / "begun")


def draft(folder: Path, *options: str, file: str = "claims.csv") -> str:
    command = ["draft", str(folder / file), "--name", "claims", "--conf", str(folder / "conf"), *options]
    run = CliRunner().invoke(cli, command)
    if run.exception and not isinstance(run.exception, SystemExit):
        raise run.exception
    assert run.exit_code == 0, run.output
    return run.output


def edit(folder: Path, *changes: tuple[str, str]) -> str:
    path = folder / "conf" / "sources" / "claims.yml"
    text = path.read_text("utf-8")
    for old, new in changes:
        assert old in text, f"{old} is not in\n{text}"
        text = text.replace(old, new)
    path.write_text(text, "utf-8")
    return text


def no_problems(folder: Path) -> Config:
    config = survey(folder / "conf")
    assert [str(problem) for problem in all_problems(config, None)] == []
    return config


AS_IT_IS = ('"dd/MM/yyyy HH:mm"', '"MM/dd/yyyy HH:mm"')


def test_formats_names_clock_and_zone_are_the_contracts(folder: Path) -> None:
    guessed = survey(folder / "conf").source("claims")
    assert (guessed.happened_at, guessed.columns["Happened"].format) == ("happened", "dd/MM/yyyy HH:mm")
    edited = edit(
        folder, AS_IT_IS, ("as: reported,", "required: true, as: notified_at, zone: Europe/Berlin,"),
        ("happened_at: happened ", "happened_at: notified_at "), ("as: policy", "as: holder"), ("as: amount", "as: claimed"),
        ("column: amount", "column: claimed"), ("as: fraud", "as: was_fraud"),
    )  # fmt: skip
    said = draft(folder, "--use-case", "Fraud", "--write")
    assert said.startswith(f"uses the contract in {folder}/conf/sources/claims.yml\n")
    config = no_problems(folder)
    group, made = config.group("claims_history"), config.use_case("claims_was_fraud")
    assert group.entity == "holder"
    assert {"hour_of_notified_at", "claimed_mean_30d"} <= set(group.features)
    assert (made.zone, made.label.positive) == ("Europe/Berlin", "was_fraud")
    assert "this.claimed" in made.features
    text = edit(folder)
    assert text.startswith(edited)
    assert "columns: [was_fraud, closed_on]" in text.removeprefix(edited)


def test_the_edited_format_gives_the_clock_of_the_outcome(folder: Path) -> None:
    """Read the wrong way round, half of the claims are closed before they happen."""
    assert "known_at: {happened_at plus:" in draft(folder, "--use-case", "Fraud")
    edit(folder, AS_IT_IS)
    assert "known_at: closed_on\n" in draft(folder, "--use-case", "Fraud")


def test_known_later_columns_of_the_contract_are_taken_as_they_are(folder: Path) -> None:
    later = "known_later:\n  - columns: [fraud, paid]\n    known_at: {happened_at plus: 45 days}\nzone:"
    edited = edit(folder, AS_IT_IS, ("zone:", later))
    assert "under known_later" not in draft(folder, "--use-case", "Fraud", "--write")
    assert edit(folder) == edited
    config = no_problems(folder)
    made = config.use_case("claims_fraud")
    assert made.label.matures_after.days == 45
    assert {"fraud", "paid"} <= set(made.never)
    assert "is_paid" not in config.group("claims_history").features


def test_a_delay_after_a_column_lengthens_the_wait(folder: Path) -> None:
    waits = []
    for number, clock in enumerate(("closed_on", "{closed_on plus: 10 days}")):
        copy = shutil.copytree(folder, folder.parent / str(number))
        edit(copy, AS_IT_IS, ("zone:", f"known_later: [{{columns: [fraud], known_at: {clock}}}]\nzone:"))
        draft(copy, "--use-case", "Fraud", "--write")
        waits.append(no_problems(copy).use_case("claims_fraud").label.matures_after.days)
    assert waits[1] == waits[0] + 10


def test_an_entry_is_added_to_known_later_that_is_there(folder: Path) -> None:
    later = "known_later:   # by hand\n  - columns: [recovered]\n    known_at: {happened_at plus: 45 days}\nzone:"
    edit(folder, AS_IT_IS, ("zone:", later))
    draft(folder, "--use-case", "Fraud", "--write")
    assert {name for group in no_problems(folder).source("claims").known_later for name in group.columns} == {
        "fraud",
        "closed_on",
        "recovered",
    }
    assert "known_later:   # by hand" in edit(folder)


def test_lines_that_do_not_fit_are_left_to_people(folder: Path) -> None:
    later = "known_later: [{columns: [recovered], known_at: {happened_at plus: 45 days}}]\nzone:"
    edited = edit(folder, AS_IT_IS, ("zone:", later))
    assert "ADD YOURSELF to" in draft(folder, "--use-case", "Fraud", "--write")
    assert edit(folder) == edited


def test_what_is_printed_is_only_what_is_new(folder: Path) -> None:
    edited = edit(folder)
    said = draft(folder, "--use-case", "Fraud")
    assert said.startswith("# uses the contract in ")
    assert [line for line in said.splitlines() if line.startswith("# ---")] == [
        "# --- sources/claims.yml, to be added",
        "# --- features/claims_history.yml",
        "# --- use_cases/claims_fraud.yml",
    ]
    assert edit(folder) == edited
    assert not (folder / "conf" / "use_cases").exists()


def test_labels_are_named_as_silver_holds_them(folder: Path) -> None:
    edit(folder, AS_IT_IS, ("Fraud: {type: boolean,", "Fraud: {type: text, codes: {Y: fraud, N: fine},"))
    draft(folder, "--use-case", "Fraud", "--write")
    assert no_problems(folder).use_case("claims_fraud").label.positive == "fraud = 'fraud'"


def test_a_use_case_that_is_there_is_not_overwritten(folder: Path) -> None:
    draft(folder, "--use-case", "Fraud", "--write")
    with pytest.raises(ConfigError, match=r"claims_history\.yml is there already"):
        draft(folder, "--use-case", "Fraud", "--write")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("key: claim_no", "keys: claim_no", "mend the contract, then draft again"),
        ("happened_at: happened ", "happened_at: hapened ", "did you mean 'happened'"),
        ('"dd/MM/yyyy HH:mm"', "dd.MM.yyyy", "no value of 'Happened' .* as 'dd.MM.yyyy' writes it"),
        ('delimiter: ";"', 'delimiter: "|"', "not what the contract says: the needed column 'Claim No' is missing"),
        ("Claim No:", "Number:", "not what the contract says: the needed column 'Number' is missing"),
    ],
)
def test_a_contract_that_does_not_fit_is_refused_with_the_reason(folder: Path, old: str, new: str, says: str) -> None:
    edit(folder, (old, new))
    with pytest.raises((ConfigError, InputError), match=says):
        draft(folder, "--use-case", "Fraud")


def test_the_last_event_of_a_longer_file_is_read_by_the_contract(folder: Path) -> None:
    edit(folder, AS_IT_IS, ("zone: UTC", "zone: Europe/Berlin"))
    source = survey(folder / "conf").source("claims")
    made = contracted(folder / "claims.csv", source)
    assert made.happened_at and made.happened_at.moments
    longer = replace(made, sample=replace(made.sample, complete=False))
    latest = max(moment for moment in made.happened_at.moments.values if moment)
    assert last_event(folder / "claims.csv", longer, source) == latest


def test_quotes_and_escapes_are_the_contracts(folder: Path) -> None:
    """A quote that is part of a value, and one that is written with a backslash."""
    file = folder / "claims.csv"
    lines = file.read_text("utf-8").splitlines()
    file.write_text("\n".join(line.replace(";Nord;", ';"No\\"rd";') for line in lines), "utf-8")
    edit(folder, ('delimiter: ";" ', 'delimiter: ";"\n  escape: "\\\\" '))
    region = contracted(file, survey(folder / "conf").source("claims")).guess("region")
    assert region and set(region.distinct) == {'No"rd', "Süd", "West"}
    edit(folder, ('escape: "\\\\" ', 'quote: "" '))
    region = contracted(file, survey(folder / "conf").source("claims")).guess("region")
    assert region and set(region.distinct) == {'"No\\"rd"', "Süd", "West"}


@pytest.mark.parametrize("name", ["plain.csv", "bom.csv", "packed.csv.gz", "german.csv", "american.csv", "headless.csv",
                                  "pipes.csv", "wide.csv", "columns.parquet", "lines.jsonl", "rows.xml"])  # fmt: skip
def test_two_steps_lead_to_what_one_step_leads_to(tmp_path: Path, zoo: dict[str, Path], name: str) -> None:
    label = "column_11" if name == "headless.csv" else "Fraud"
    for step, options in (("one", []), ("two", ["--write"])):
        (tmp_path / step).mkdir()
        shutil.copy(zoo[name], tmp_path / step / name)
        if options:
            draft(tmp_path / step, "--write", file=name)
        draft(tmp_path / step, "--use-case", label, "--write", file=name)
    one, two = no_problems(tmp_path / "one"), no_problems(tmp_path / "two")
    assert two.use_cases == one.use_cases
    assert two.groups == one.groups
    assert two.source("claims").known_later == one.source("claims").known_later


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_zoo(tmp_path_factory.mktemp("zoo"))


NOON = datetime(2024, 7, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("form", "zone", "text", "moment"),
    [
        ("iso", "UTC", "2024-07-01 12:00", NOON),
        ("iso", "Europe/Berlin", "2024-07-01T12:00:00Z", NOON),
        ("iso", "Europe/Berlin", "2024-07-01T14:00:00", NOON),
        ("epoch_s", "Europe/Berlin", "1719835200", NOON),
        ("epoch_ms", "UTC", "1719835200000", NOON),
        ("d.M.yy H:mm", "UTC", "1.7.24 12:00", NOON),
        ("dd MMM yyyy 'at' hh:mm a", "UTC", "01 Jul 2024 at 12:00 PM", NOON),
        ("yyyy-MM-dd HH:mm:ss.SSSXXX", "UTC", "2024-07-01 14:00:00.000+02:00", NOON),
        ("yyyy-MM-dd[ HH:mm]", "UTC", "2024-07-01 12:00", NOON),
        ("yyyy-MM-dd[ HH:mm]", "UTC", "2024-07-01", NOON.replace(hour=0)),
        ("yyyyMMddHHmmss", "UTC", "20240701120000", NOON),
        ("dd.MM.yyyy", "UTC", "31.02.2024", None),
        ("epoch_s", "UTC", "soon", None),
    ],
)
def test_times_are_read_as_the_contract_writes_them(form: str, zone: str, text: str, moment: datetime | None) -> None:
    read = reader_of(form, zone)
    assert read is not None
    assert read(text) == moment


def test_a_pattern_of_weeks_is_not_read() -> None:
    assert reader_of("YYYY-ww", "UTC") is None
