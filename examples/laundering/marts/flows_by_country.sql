/*
mart: flows_by_country
about: Money exchanged with each country, month by month, with the level the country had at the time.
columns:
  month: First day of the month in Berlin.
  counterparty_country: Country of the other bank, two letters.
  country_risk: Level on the risk lists as known when booked.
  bookings: Number of bookings that were not reversed.
  came_in: Sum of what came in, EUR.
  went_out: Sum of what went out, EUR.
  accounts: Number of different accounts.
*/
SELECT
  trunc(from_utc_timestamp(booked_at, 'Europe/Berlin'), 'MM') AS month,
  counterparty_country, country_risk,
  count(*) AS bookings,
  coalesce(sum(amount) FILTER (WHERE direction = 'in'), 0) AS came_in,
  coalesce(sum(amount) FILTER (WHERE direction = 'out'), 0) AS went_out,
  count(DISTINCT account_id) AS accounts
FROM silver.transfers_current
WHERE counterparty_country IS NOT NULL AND status = 'booked'
GROUP BY 1, 2, 3
