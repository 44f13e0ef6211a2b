/*
mart: daily_activity
about: Card business day by day and by kind of shop.
columns:
  paid_on: Day of the payments in Berlin.
  merchant_category: What the shops sell.
  payments: Number of payments.
  turnover: Sum of payments, EUR.
  cards: Number of different cards.
  online_share: Share of payments made online.
  abroad_share: Share of payments at shops outside Germany.
  confirmed_frauds: Payments confirmed as fraud by now.
  fraud_amount: Their sum, EUR.
*/
SELECT
  paid_on, merchant_category,
  count(*) AS payments,
  sum(amount) AS turnover,
  count(DISTINCT card_id) AS cards,
  count_if(entry_mode = 'ecommerce') / count(*) AS online_share,
  count_if(country <> 'DE') / count(*) AS abroad_share,
  count_if(verdict = 'confirmed') AS confirmed_frauds,
  coalesce(sum(amount) FILTER (WHERE verdict = 'confirmed'), 0) AS fraud_amount
FROM gold.card_transactions
GROUP BY paid_on, merchant_category
