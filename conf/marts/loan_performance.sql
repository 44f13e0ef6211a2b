/*
mart: loan_performance
about: Vintages by month on book. Balance and arrears exist since instalments are kept, from January 2025 on.
columns:
  vintage: First day of the quarter of origination.
  month_on_book: Months since origination.
  loans: Loans paid out in the quarter.
  lent: Their sum, EUR.
  seen: Loans old enough to have reached this month.
  charged_off: Loans charged off by this month on book.
  cumulative_default_rate: Charged off by this month as a share of the loans old enough.
  loans_reported: Instalments of this month on book that have been reported.
  balance: What they still owed, EUR; empty where none was reported.
  share_30_days_late: Share of them at least 30 days late; empty where none was reported.
*/
WITH book AS (
  SELECT
    to_date(date_trunc('QUARTER', originated_at)) AS vintage, status, months_on_book, amount,
    floor(months_between(max(originated_at) OVER (), originated_at)) AS age
  FROM gold.loans
), alike AS (
  SELECT vintage, status, months_on_book, age, count(*) AS loans, sum(amount) AS lent
  FROM book
  GROUP BY vintage, status, months_on_book, age
), cells AS (
  SELECT vintage, status, months_on_book, age, loans, lent, month_on_book
  FROM alike LATERAL VIEW explode(sequence(1, 60)) AS month_on_book
), counted AS (
  SELECT
    vintage, month_on_book,
    sum(loans) AS loans,
    sum(lent) AS lent,
    sum(CASE WHEN age >= month_on_book THEN loans ELSE 0 END) AS seen,
    sum(
      CASE WHEN age >= month_on_book AND status = 'charged_off' AND months_on_book <= month_on_book
        THEN loans ELSE 0 END
    ) AS charged_off
  FROM cells
  GROUP BY vintage, month_on_book
), reported AS (
  SELECT
    to_date(date_trunc('QUARTER', vintage)) AS vintage, number AS month_on_book,
    count(*) AS loans_reported,
    sum(balance) AS balance,
    count_if(days_past_due >= 30) / count(*) AS share_30_days_late
  FROM gold.instalments
  WHERE vintage IS NOT NULL
  GROUP BY 1, 2
)
SELECT
  c.vintage, c.month_on_book, c.loans, c.lent, c.seen, c.charged_off,
  c.charged_off / c.seen AS cumulative_default_rate,
  r.loans_reported, r.balance, r.share_30_days_late
FROM counted AS c
LEFT JOIN reported AS r ON r.vintage = c.vintage AND r.month_on_book = c.month_on_book
WHERE c.seen > 0
