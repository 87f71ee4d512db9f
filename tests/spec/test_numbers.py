"""Numbers are doubles; what no finite double can hold is missing."""

from __future__ import annotations


def test_division_is_of_doubles_and_by_zero_missing(spec):
    spec("""
        | a | d | ? a / d | ? a / d > 0 | ? 1 / 2 |
        | 1 | 2 | 0.5     | yes         | 0.5     |
        | 1 | 0 | ~       | ~           | 0.5     |
        | 0 | 0 | ~       | ~           | 0.5     |
    """)


def test_overflow_is_missing_and_does_not_come_back_as_a_number(spec):
    spec("""
        | a     | ? a * 10 | ? 1 / (a * 10) | ? a * 10 > 1 | ? exp(a) |
        | 1e308 | ~        | ~              | ~            | ~        |
        | 0     | 0        | ~              | no           | 1        |
    """)


def test_functions_outside_their_domain_are_missing(spec):
    spec("""
        | a  | ? sqrt(a) | ? ln(a) | ? power(a, 0.5) | ? power(a, -1) |
        | 4  | 2         | 1.3862943611198906 | 2    | 0.25           |
        | 1  | 1         | 0       | 1               | 1              |
        | 0  | 0         | ~       | 0               | ~              |
        | -1 | ~         | ~       | ~               | -1             |
    """)


def test_halves_round_away_from_zero(spec):
    spec("""
        | a    | ? round(a) | ? round(a, 1) | ? floor(a) | ? ceil(a) | ? abs(a) |
        | 2.5  | 3          | 2.5           | 2          | 3         | 2.5      |
        | -2.5 | -3         | -2.5          | -3         | -2        | 2.5      |
        | 0.49999999999999994 | 0 | 0.5     | 0          | 1         | 0.49999999999999994 |
        | 0.25 | 0          | 0.3           | 0          | 1         | 0.25     |
        |      | ~          | ~             | ~          | ~         | ~        |
    """)


def test_texts_and_truths_are_only_compared_for_equality(spec):
    spec("""
        | word   | b   | ? word = 'tide' | ? word <> 'tide' | ? word IN ('tide', 'river') | ? b = TRUE |
        | 'tide' | yes | yes             | no               | yes                         | yes        |
        | 'rain' | no  | no              | yes              | no                          | no         |
        |        |     | ~               | ~                | ~                           | ~          |
    """)
