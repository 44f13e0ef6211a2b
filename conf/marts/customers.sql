/*
mart: customers
about: One row for each cardholder with what is known now; names and addresses are left in silver.
columns:
  customer_id: Number of the customer.
  segment: Price list the customer is on.
  city: City of the home address.
  country: Country of the home address.
  birth_year: Year of birth.
  customer_since: Day the customer joined.
  cards: Number of cards.
  credit_limit: Sum of the credit limits, EUR.
*/
SELECT
  c.customer_id, c.segment, c.city, c.country, c.birth_year, c.customer_since,
  count(k.card_id) AS cards,
  coalesce(sum(k.credit_limit), 0) AS credit_limit
FROM silver.customers_current AS c
LEFT JOIN silver.cards_current AS k ON k.customer_id = c.customer_id
GROUP BY c.customer_id, c.segment, c.city, c.country, c.birth_year, c.customer_since
