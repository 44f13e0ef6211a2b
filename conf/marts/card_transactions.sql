/*
mart: card_transactions
about: One row for each payment with its card, its terminal and what has been reported about it.
columns:
  payment_id: The processor's number of the payment.
  paid_at: When the card was used, UTC.
  paid_on: Day of the payment in Berlin.
  card_id: Token of the card.
  customer_id: Who the card belongs to; empty if the card is not in the register.
  terminal_id: Where the card was used.
  merchant_category: What the shop sells.
  city: City of the shop; empty if nobody has described the terminal.
  country: Country of the shop.
  amount: What was paid, EUR.
  entry_mode: How the card was read.
  distance_km: From the cardholder's home to the shop; empty for online payments.
  sent_at: When the processor sent the row.
  verdict: Present verdict of a report about this payment; empty if there is none.
  reported_at: When it was first reported.
cluster_by: [card_id]
*/
SELECT
  t.payment_id, t.paid_at, to_date(from_utc_timestamp(t.paid_at, 'Europe/Berlin')) AS paid_on,
  t.card_id, k.customer_id, t.terminal_id, t.merchant_category, p.city, t.country,
  t.amount, t.entry_mode, t.distance_km, t.sent_at,
  r.verdict, r.reported_at
FROM silver.card_transactions_current AS t
LEFT JOIN silver.cards_current AS k ON k.card_id = t.card_id
LEFT JOIN silver.terminals_current AS p ON p.terminal_id = t.terminal_id
LEFT JOIN (
  SELECT payment_id, max_by(verdict, updated_at) AS verdict, min(reported_at) AS reported_at
  FROM silver.fraud_reports_current
  GROUP BY payment_id
) AS r ON r.payment_id = t.payment_id
