/*
mart: instalments
about: One row for each instalment, as it stood when it was last reported.
columns:
  loan_id: The loan.
  number: Number of the instalment; the loan's months on book.
  vintage: First day of the loan's month of origination; empty if the loan is not there.
  due_on: Day it was due.
  due: What was due, EUR.
  paid: What had been paid, EUR.
  paid_on: Day of payment; empty if not paid.
  days_past_due: How late the loan was.
  balance: What was still owed, EUR.
  reported_at: When this was reported.
*/
SELECT
  i.loan_id, i.number, l.vintage, i.due_on, i.due, i.paid, i.paid_on, i.days_past_due, i.balance, i.reported_at
FROM silver.instalments_current AS i
LEFT JOIN gold.loans AS l ON l.loan_id = i.loan_id
