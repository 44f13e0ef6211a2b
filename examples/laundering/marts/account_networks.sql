/*
mart: account_networks
about: One row for each account of the bank in the last snapshot of the network, the riskiest first to look at.
columns:
  account_id: The account.
  as_of: Moment of the snapshot.
  senders_30d: Accounts that paid it in 30 days.
  receivers_30d: Accounts it paid in 30 days.
  received_30d: What came in, EUR.
  sent_30d: What went out, EUR.
  flow_through_7d: Share of what came in within 7 days that left within two days.
  cycles_30d: Cycles of payments over the account that closed in 30 days.
  community: An account that names the group it deals with.
  community_size: Accounts of that group.
  propagated_risk: Chance that a walk over payments ends at a reported account.
cluster_by: [account_id]
*/
SELECT
  n.account_id, n.as_of,
  n.fan_in_30d AS senders_30d, n.fan_out_30d AS receivers_30d,
  n.sum_in_30d AS received_30d, n.sum_out_30d AS sent_30d,
  n.flow_through_7d,
  n.cycles_2_30d + n.cycles_3_30d + n.cycles_4_30d + n.cycles_5_30d AS cycles_30d,
  n.community, n.community_size, n.propagated_risk
FROM silver.account_network AS n
JOIN silver.accounts_current AS a ON a.account_id = n.account_id
WHERE n.as_of = (SELECT max(as_of) FROM silver.account_network)
