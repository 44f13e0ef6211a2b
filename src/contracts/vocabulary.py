"""Names and arguments of all expectations a contract may use. Needs neither Spark nor Great Expectations."""

from __future__ import annotations

_RANGE = ("min_value", "max_value", "strict_min", "strict_max")
_MANY = ("column_list", "ignore_row_if")
_PAIR = ("column_A", "column_B", "ignore_row_if")

# name -> (arguments it needs, arguments it may have)
ROW_ARGUMENTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "expect_column_values_to_not_be_null": (("column",), ()),
    "expect_column_values_to_be_null": (("column",), ()),
    "expect_column_values_to_be_in_set": (("column", "value_set"), ()),
    "expect_column_values_to_not_be_in_set": (("column", "value_set"), ()),
    "expect_column_values_to_be_between": (("column",), _RANGE),
    "expect_column_value_lengths_to_be_between": (("column",), _RANGE),
    "expect_column_value_lengths_to_equal": (("column", "value"), ()),
    "expect_column_values_to_match_regex": (("column", "regex"), ()),
    "expect_column_values_to_not_match_regex": (("column", "regex"), ()),
    "expect_column_values_to_match_regex_list": (("column", "regex_list"), ("match_on",)),
    "expect_column_values_to_not_match_regex_list": (("column", "regex_list"), ()),
    "expect_column_values_to_match_like_pattern": (("column", "like_pattern"), ()),
    "expect_column_values_to_not_match_like_pattern": (("column", "like_pattern"), ()),
    "expect_column_values_to_match_strftime_format": (("column", "strftime_format"), ()),
    "expect_column_pair_values_a_to_be_greater_than_b": (("column_A", "column_B"), (*_PAIR, "or_equal")),
    "expect_column_pair_values_to_be_equal": (("column_A", "column_B"), _PAIR),
    "expect_column_pair_values_to_be_in_set": (("column_A", "column_B", "value_pairs_set"), _PAIR),
    "expect_multicolumn_sum_to_equal": (("column_list", "sum_total"), _MANY),
    "expect_select_column_values_to_be_unique_within_record": (("column_list",), _MANY),
    "expect_column_values_to_be_unique": (("column",), ()),
    "expect_compound_columns_to_be_unique": (("column_list",), _MANY),
    "expect_row_condition": (("condition",), ()),
    "expect_reference": (("column", "in"), ("key",)),
    "expect_not_in_future": (("column",), ()),
}

TABLE_EXPECTATIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "expect_table_row_count_to_be_between": ((), _RANGE),
    "expect_table_row_count_to_equal": (("value",), ()),
    "expect_column_max_to_be_between": (("column",), _RANGE),
    "expect_column_min_to_be_between": (("column",), _RANGE),
    "expect_column_mean_to_be_between": (("column",), _RANGE),
    "expect_column_median_to_be_between": (("column",), _RANGE),
    "expect_column_stdev_to_be_between": (("column",), _RANGE),
    "expect_column_sum_to_be_between": (("column",), _RANGE),
    "expect_column_unique_value_count_to_be_between": (("column",), _RANGE),
    "expect_column_proportion_of_unique_values_to_be_between": (("column",), _RANGE),
    "expect_column_proportion_of_non_null_values_to_be_between": (("column",), _RANGE),
    "expect_column_distinct_values_to_be_in_set": (("column", "value_set"), ()),
    "expect_column_distinct_values_to_contain_set": (("column", "value_set"), ()),
    "expect_column_distinct_values_to_equal_set": (("column", "value_set"), ()),
    "expect_column_most_common_value_to_be_in_set": (("column", "value_set"), ("ties_okay",)),
    "expect_column_value_z_scores_to_be_less_than": (("column", "threshold", "double_sided"), ()),
}

# Expectations of the library that a contract may not use, and what to write instead.
REFUSED: dict[str, str] = {
    "expect_column_quantile_values_to_be_between": "the library cannot store it; use a median or a mean",
    "unexpected_rows_expectation": 'write expect_row_condition: {condition: "…"}, which good rows fulfil',
    "expect_query_results_to_match_comparison": "write the comparison as a mart",
    "expect_table_row_count_to_equal_other_table": "write the comparison as a mart",
    "expect_column_to_exist": "columns are declared under `columns`; use required: true",
    "expect_table_column_count_to_be_between": "columns are declared under `columns`",
    "expect_table_column_count_to_equal": "columns are declared under `columns`",
    "expect_table_columns_to_match_ordered_list": "columns are declared under `columns`",
    "expect_table_columns_to_match_set": "columns are declared under `columns`",
    "expect_column_type_to_be": "types are declared under `columns`",
    "expect_column_values_to_be_of_type": "types are declared under `columns`",
    "expect_column_values_to_be_in_type_list": "types are declared under `columns`",
    "expect_column_values_to_be_dateutil_parseable": "declare type: date or timestamp with its format",
    "expect_column_values_to_be_increasing": "rows of a table have no order; compare two columns instead",
    "expect_column_values_to_be_decreasing": "rows of a table have no order; compare two columns instead",
    "expect_column_values_to_be_json_parseable": "use expect_row_condition with try_parse_json",
    "expect_column_values_to_match_json_schema": "use expect_row_condition with get_json_object",
    "expect_column_values_to_match_like_pattern_list": "write one rule for each pattern, or a regex_list",
    "expect_column_values_to_not_match_like_pattern_list": "write one rule for each pattern, or a regex_list",
    "expect_column_values_to_not_be_outliers": "use expect_column_value_z_scores_to_be_less_than",
    "expect_column_kl_divergence_to_be_less_than": "drift is measured by finlake's monitoring",
    "expect_multicolumn_values_to_be_equal": "use expect_row_condition",
}
