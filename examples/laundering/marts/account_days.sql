/*
mart: account_days
about: One row for each account and day with bookings, its owner and what investigators concluded.
columns:
  account_day_id: Account and day.
  account_id: The account.
  customer_id: Who owns it.
  kind: private or company; empty if the customer is not in the register.
  sector: What the company does.
  risk_rating: Present rating of the customer.
  day: The day in Berlin.
  bookings: Bookings of the day.
  turnover_in: What came in, EUR.
  turnover_out: What went out, EUR.
  closing_balance: Balance at the end of the day, EUR.
  verdict: Present verdict of a report that names the day; empty if there is none.
cluster_by: [account_id]
*/
SELECT
  d.account_day_id, d.account_id, d.customer_id, c.kind, c.sector, c.risk_rating,
  d.day, d.bookings, d.turnover_in, d.turnover_out, d.closing_balance, r.verdict
FROM silver.account_days_current AS d
LEFT JOIN silver.customers_current AS c ON c.customer_id = d.customer_id
LEFT JOIN (
  SELECT account_day_id, max_by(verdict, updated_at) AS verdict
  FROM silver.alert_reports_current
  GROUP BY account_day_id
) AS r ON r.account_day_id = d.account_day_id
