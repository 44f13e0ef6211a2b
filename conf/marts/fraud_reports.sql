/*
mart: fraud_reports
about: One row for each report with its present verdict, and how long it took.
columns:
  report_id: Number of the report.
  payment_id: The payment the report is about.
  reported_at: When the report was first made.
  report_channel: How the report reached the bank.
  verdict: Present verdict, confirmed, suspected or dismissed.
  updated_at: When it got this verdict.
  paid_at: Time of the payment; empty if the payment is not there.
  amount: Amount of the payment, EUR.
  days_to_report: Days from the payment to the first report.
*/
SELECT
  r.report_id, r.payment_id, r.reported_at, r.report_channel, r.verdict, r.updated_at,
  t.paid_at, t.amount,
  (unix_timestamp(r.reported_at) - unix_timestamp(t.paid_at)) / 86400.0D AS days_to_report
FROM silver.fraud_reports_current AS r
LEFT JOIN silver.card_transactions_current AS t ON t.payment_id = r.payment_id
