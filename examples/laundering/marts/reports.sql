/*
mart: reports
about: One row for each report with its present verdict, what it covers and how long it took.
columns:
  report_id: Number of the report.
  account_id: The account it is about.
  verdict: Present verdict, open, filed, dismissed or retracted.
  opened_at: When the case was opened.
  updated_at: When it got this verdict.
  days_named: Days of the account that it names.
  first_day: First of them.
  turnover: What came in and went out on them, EUR.
  days_to_verdict: Days from the last of them to the verdict.
*/
SELECT
  r.report_id, r.account_id,
  max_by(r.verdict, r.updated_at) AS verdict,
  min(r.opened_at) AS opened_at,
  max(r.updated_at) AS updated_at,
  count(*) AS days_named,
  min(d.day) AS first_day,
  sum(d.turnover_in + d.turnover_out) AS turnover,
  (unix_timestamp(max(r.updated_at)) - unix_timestamp(max(d.closed_at))) / 86400.0D AS days_to_verdict
FROM silver.alert_reports_current AS r
LEFT JOIN silver.account_days_current AS d ON d.account_day_id = r.account_day_id
GROUP BY r.report_id, r.account_id
