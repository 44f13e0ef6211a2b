/*
mart: applications
about: One row for each application for a loan and what became of it.
columns:
  application_id: Number of the application.
  applicant_id: Who applied.
  applied_at: When, UTC.
  applied_month: First day of the month of the application.
  amount: What was asked for, EUR.
  term_months: Over how many months it would be paid back.
  purpose: What the money is for.
  channel: Where the application was made.
  city: City of the home address.
  income: Yearly income as stated, EUR.
  bureau_score: Score of the credit bureau.
  debt_to_income: Monthly debt service as a share of income.
  decision: approved or rejected; empty while it is not decided.
  hours_to_decision: Hours until it was decided.
  loan_id: The loan, if one was paid out.
*/
SELECT
  a.application_id, a.applicant_id, a.applied_at, to_date(date_trunc('MONTH', a.applied_at)) AS applied_month,
  a.amount, a.term_months, a.purpose, a.channel, a.city, a.income, a.bureau_score, a.debt_to_income, a.decision,
  (unix_timestamp(a.decided_at) - unix_timestamp(a.applied_at)) / 3600.0D AS hours_to_decision,
  l.loan_id
FROM silver.loan_applications_current AS a
LEFT JOIN (
  SELECT application_id, min(loan_id) AS loan_id FROM silver.loans_current GROUP BY application_id
) AS l ON l.application_id = a.application_id
