/*
mart: loans
about: One row for each loan with its vintage and how it stands or ended.
columns:
  loan_id: Number of the loan.
  application_id: The application it came from.
  applicant_id: Who borrowed.
  originated_at: When the money was paid out, UTC.
  vintage: First day of the month of origination.
  amount: What was lent, EUR.
  term_months: Over how many months it is paid back.
  interest_rate: Yearly interest, %.
  instalment: What is due each month, EUR.
  purpose: What the money is for.
  channel: Where the application was made.
  bureau_score: Score of the credit bureau at origination.
  debt_to_income: Monthly debt service as a share of income at origination.
  status: running, repaid, prepaid or charged_off.
  closed_at: When the loan ended.
  months_on_book: How many months it ran; empty while it runs.
  recovered: What was recovered after it was charged off, EUR.
  days_past_due_max: Longest delay of a payment, known when it is closed.
*/
SELECT
  loan_id, application_id, applicant_id, originated_at, to_date(date_trunc('MONTH', originated_at)) AS vintage,
  amount, term_months, interest_rate, instalment, purpose, channel, bureau_score, debt_to_income,
  coalesce(status, 'running') AS status, closed_at, months_on_book, recovered, days_past_due_max
FROM silver.loans_current
