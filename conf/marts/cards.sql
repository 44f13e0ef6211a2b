/*
mart: cards
about: One row for each card, with its use so far.
columns:
  card_id: Token of the card.
  customer_id: Who the card belongs to.
  kind: Debit or credit card.
  credit_limit: Most that may be owed, EUR; empty for debit cards.
  issued_on: Day the card was issued.
  active: Whether the card can be used.
  payments: Number of payments.
  spent: Sum of payments, EUR.
  confirmed_frauds: Payments confirmed as fraud.
  first_paid_at: Time of the first payment.
  last_paid_at: Time of the latest payment.
cluster_by: [card_id]
*/
SELECT
  k.card_id, k.customer_id, k.kind, k.credit_limit, k.issued_on, k.active,
  coalesce(t.payments, 0) AS payments,
  coalesce(t.spent, 0) AS spent,
  coalesce(t.confirmed_frauds, 0) AS confirmed_frauds,
  t.first_paid_at, t.last_paid_at
FROM silver.cards_current AS k
LEFT JOIN (
  SELECT
    card_id, count(*) AS payments, sum(amount) AS spent, count_if(verdict = 'confirmed') AS confirmed_frauds,
    min(paid_at) AS first_paid_at, max(paid_at) AS last_paid_at
  FROM gold.card_transactions
  GROUP BY card_id
) AS t ON t.card_id = k.card_id
