/*
mart: terminals
about: One row for each terminal that has been described, with its business and its frauds so far.
columns:
  terminal_id: Number of the terminal.
  merchant_category: What the shop sells.
  online: Whether it is an online shop.
  city: City of the shop.
  country: Country of the shop.
  payments: Number of payments.
  turnover: Sum of payments, EUR.
  cards: Number of different cards.
  confirmed_frauds: Payments confirmed as fraud.
  fraud_share: Confirmed frauds as a share of payments.
*/
SELECT
  p.terminal_id, p.merchant_category, p.online, p.city, p.country,
  coalesce(t.payments, 0) AS payments,
  coalesce(t.turnover, 0) AS turnover,
  coalesce(t.cards, 0) AS cards,
  coalesce(t.confirmed_frauds, 0) AS confirmed_frauds,
  try_divide(t.confirmed_frauds, t.payments) AS fraud_share
FROM silver.terminals_current AS p
LEFT JOIN (
  SELECT
    terminal_id, count(*) AS payments, sum(amount) AS turnover, count(DISTINCT card_id) AS cards,
    count_if(verdict = 'confirmed') AS confirmed_frauds
  FROM gold.card_transactions
  GROUP BY terminal_id
) AS t ON t.terminal_id = p.terminal_id
