"""Public tables for the leakage auditor, each with its columns known at the decision; read through FINLAKE_DATA."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tests.unit.leakage_cases import Case, past

from finlake.errors import SetupError

APPLICATION = (
    "loan_amnt funded_amnt funded_amnt_inv term int_rate installment grade sub_grade emp_length home_ownership annual_inc "
    "verification_status purpose addr_state dti delinq_2yrs earliest_cr_line inq_last_6mths mths_since_last_delinq "
    "mths_since_last_record open_acc pub_rec revol_bal revol_util total_acc initial_list_status application_type "
    "acc_now_delinq pub_rec_bankruptcies tax_liens"
).split()
AFTERWARDS = (
    "total_pymnt total_pymnt_inv total_rec_prncp total_rec_int total_rec_late_fee recoveries collection_recovery_fee "
    "last_pymnt_d last_pymnt_amnt last_credit_pull_d debt_settlement_flag debt_settlement_flag_date settlement_status "
    "settlement_date settlement_amount settlement_percentage settlement_term"
).split()
SETTLED = ("SettledDate", "DaysToSettle", "DaysLate")
SAID = ("total_rec_int", "total_rec_late_fee")  # parts of a refused sum; nothing in the rows says when they are known


def folder() -> Path:
    """The folder with the public data.

    Raises:
        SetupError: FINLAKE_DATA is not set.
    """
    given = os.environ.get("FINLAKE_DATA", "")
    if not given:
        raise SetupError("FINLAKE_DATA names no folder; set it to the folder with the public data")
    return Path(given)


def bank() -> Case:
    """Bank marketing; `duration` is known after the call."""
    frame = pd.read_csv(folder() / "collections/uci_bank-additional-full.csv.gz", sep=";")
    frame["y"] = (frame["y"] == "yes").astype(int)
    features = [name for name in frame if name not in ("y", "duration")]
    read: dict[str, Any] = {"label": "y", "features": features}
    return Case(frame, read, amount="euribor3m", category="job", owed="age")


def with_duration() -> Case:
    case = bank()
    read = {**case.read, "features": [*case.read["features"], "duration"]}
    return replace(case, read=read, leaks=frozenset(["duration"]))


def loans() -> Case:
    """LendingClub with what the application says."""
    frame = pd.read_csv(folder() / "credit/lendingclub_2007_2011.csv.gz", low_memory=False)
    frame["bad"] = frame["loan_status"].str.contains("Charged Off").astype(int)
    read: dict[str, Any] = {"label": "bad", "time": "issue_d", "key": "loan_id", "features": APPLICATION}
    return Case(frame, read, amount="revol_bal", category="addr_state", owed="loan_amnt")


def loans_with_payments() -> Case:
    """Every column but the outcome and the key."""
    case = loans()
    features = [name for name in case.frame if name not in ("bad", "loan_status", "loan_id", "issue_d")]
    return replace(case, read={**case.read, "features": features}, leaks=frozenset(AFTERWARDS))


def taiwan() -> Case:
    frame = pd.read_csv(folder() / "credit/taiwan_default_UCI_Credit_Card.csv.gz").drop(columns="ID")
    frame["EDUCATION"] = frame["EDUCATION"].astype(str)
    read: dict[str, Any] = {"label": "default.payment.next.month"}
    return Case(frame, read, amount="LIMIT_BAL", category="EDUCATION", owed="AGE")


def german() -> Case:
    frame = pd.read_csv(folder() / "credit/german.data.gz", sep=r"\s+", header=None)
    frame.columns = [f"column{place}" for place in range(21)]
    frame["column20"] = (frame["column20"] == 2).astype(int)
    return Case(frame, {"label": "column20"}, amount="column4", category="column3", owed="column12")


def handbook(days: int = 183) -> Case:
    """Fraud Detection Handbook: the amount, the hour, and windows that end before the payment, frauds a week before it."""
    frame = pd.read_parquet(folder() / "fraud/handbook_transactions.parquet")
    frame = frame[frame["TX_TIME_DAYS"] < days].reset_index(drop=True)
    at = frame["TX_DATETIME"]
    micros = at.astype("datetime64[us]").astype(np.int64)
    made = frame[["TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_FRAUD", "TX_AMOUNT"]].copy()
    made["night"], made["weekend"] = (at.dt.hour <= 6).astype(int), (at.dt.weekday >= 5).astype(int)
    for days in (1, 7, 30):
        count, total = past(frame["CUSTOMER_ID"], micros, frame["TX_AMOUNT"], days)
        made[f"customer_rows_{days}d"] = count
        made[f"customer_mean_{days}d"] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        count, hits = past(frame["TERMINAL_ID"], micros, frame["TX_FRAUD"], days, ends_before=7)
        made[f"terminal_share_{days}d"] = np.where(count > 0, hits / np.maximum(count, 1), np.nan)
    read = {"label": "TX_FRAUD", "time": "TX_DATETIME", "key": "TRANSACTION_ID"}
    return Case(made, {**read, "entity": ["CUSTOMER_ID", "TERMINAL_ID"]})


def invoices() -> Case:
    """Invoices with what stands on them; when they were settled is known later."""
    frame = pd.read_csv(folder() / "collections/ibm_accounts_receivable_late_payment.csv.gz")
    dates = ["PaperlessDate", "InvoiceDate", "DueDate", "SettledDate"]
    frame[dates] = frame[dates].apply(pd.to_datetime, format="%m/%d/%Y")
    frame["late"] = (frame["DaysLate"] > 0).astype(int)
    features = [name for name in frame if name not in ("late", "InvoiceDate", "customerID", *SETTLED)]
    read: dict[str, Any] = {"label": "late", "time": "InvoiceDate", "entity": "customerID", "features": features}
    return Case(frame, read)


def invoices_when_settled() -> Case:
    case = invoices()
    return replace(case, read={**case.read, "features": [*case.read["features"], *SETTLED]}, leaks=frozenset(SETTLED))


def churn() -> Case:
    frame = pd.read_csv(folder() / "collections/telco_churn.csv.gz").drop(columns="customerID")
    frame["TotalCharges"] = pd.to_numeric(frame["TotalCharges"], errors="coerce")
    frame["Churn"] = (frame["Churn"] == "Yes").astype(int)
    return Case(frame, {"label": "Churn"})


CLEAN: dict[str, Callable[[], Case]] = {
    table.__name__: table for table in (bank, loans, taiwan, german, handbook, invoices, churn)
}
LEAKING = {table.__name__: table for table in (with_duration, loans_with_payments, invoices_when_settled)}
PLANTED = {table.__name__: table for table in (bank, loans, taiwan)}
# Leaks that need neither the generator's columns nor entities. In bank marketing no column has values of its own, so rows
# coincide honestly and copies cannot be told from them.
ANYWHERE = (
    "corrected_later", "category_mean", "smoothed_mean", "leave_one_out", "recovered_amount", "closing_reason",
    "numbers_by_outcome", "numbers_of_two_files", "copies_across_the_split", "standardised", "between_zero_and_one",
    "ranked", "filled_with_the_mean", "nearly_the_label", "a_noisy_echo", "how_long_it_took", "paid_of_owed",
)  # fmt: skip


def plants_for(table: str) -> list[str]:
    return [name for name in ANYWHERE if (table, name) != ("bank", "copies_across_the_split")]
