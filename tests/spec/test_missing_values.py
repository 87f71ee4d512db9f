"""Missing is missing: it is neither true nor false, neither zero nor empty."""

from __future__ import annotations


def test_arithmetic_with_a_missing_side_is_missing(spec):
    spec("""
        | a | d | ? a + d | ? a * d | ? a - d | ? -a |
        | 1 | 2 | 3       | 2       | -1      | -1   |
        | 1 |   | ~       | ~       | ~       | -1   |
        |   | 2 | ~       | ~       | ~       | ~    |
    """)


def test_a_comparison_with_a_missing_side_is_unknown(spec):
    spec("""
        | a | d | ? a > d | ? a = d | ? a <> d | ? a = NULL |
        | 2 | 1 | yes     | no      | yes      | ~          |
        | 1 | 1 | no      | yes     | no       | ~          |
        |   | 1 | ~       | ~       | ~        | ~          |
        |   |   | ~       | ~       | ~        | ~          |
    """)


def test_is_null_is_never_unknown(spec):
    spec("""
        | a | ? a IS NULL | ? a IS NOT NULL | ? (a > 1) IS NULL |
        | 2 | no          | yes             | no                |
        |   | yes         | no              | yes               |
    """)


def test_logic_has_three_values(spec):
    spec("""
        | b   | c   | ? b AND c | ? b OR c | ? NOT b |
        | yes | yes | yes       | yes      | no      |
        | yes | no  | no        | yes      | no      |
        | no  | no  | no        | no       | yes     |
        | yes |     | ~         | yes      | no      |
        | no  |     | no        | ~        | yes     |
        |     | no  | no        | ~        | ~       |
        |     |     | ~         | ~        | ~       |
    """)


def test_between_and_in_follow_and_and_or(spec):
    spec("""
        | a | d | ? a BETWEEN 1 AND d | ? a IN (1, d) | ? a NOT IN (1, d) |
        | 2 | 3 | yes                 | no            | yes               |
        | 1 | 1 | yes                 | yes           | no                |
        | 2 |   | ~                   | ~             | ~                 |
        | 0 |   | no                  | ~             | ~                 |
        | 1 |   | ~                   | yes           | no                |
        |   | 3 | ~                   | ~             | ~                 |
    """)


def test_a_case_takes_the_first_true_condition_and_skips_unknown_ones(spec):
    spec("""
        | a | ? CASE WHEN a > 5 THEN 'high' WHEN a > 2 THEN 'mid' ELSE 'low' END | ? CASE WHEN a > 5 THEN 1 END |
        | 6 | 'high'                                                             | 1                            |
        | 3 | 'mid'                                                              | ~                            |
        |   | 'low'                                                              | ~                            |
    """)


def test_least_and_greatest_do_not_hide_a_missing_value_and_coalesce_does(spec):
    spec("""
        | a | d | ? least(a, d) | ? greatest(a, d) | ? coalesce(a, d) | ? coalesce(a, d, 9) |
        | 1 | 2 | 1             | 2                | 1                | 1                   |
        |   | 2 | ~             | ~                | 2                | 2                   |
        |   |   | ~             | ~                | ~                | 9                   |
    """)
