import Testing

@Suite struct NumberTests {
  @Test(arguments: [
    ("1 + 2", "int64 not null 3"), ("7 % -3", "int64 not null 1"), ("-7 % 3", "int64 not null -1"),
    ("-9223372036854775808 % -1", "int64 not null 0"), ("-9223372036854775808", "int64 not null -9223372036854775808"),
    ("9223372036854775808", "decimal(19,0) not null 9223372036854775808"), ("- -5", "int64 not null 5"),
    ("+5", "int64 not null 5"),
    ("2 + 3 * 4 - -1", "int64 not null 15"), ("(2 + 3) * 4", "int64 not null 20"), ("10 - 3 - 2", "int64 not null 5"),
    ("1.50", "decimal(3,2) not null 1.50"), ("0.05", "decimal(2,2) not null 0.05"), (".5", "decimal(1,1) not null 0.5"),
    ("5.", "decimal(1,0) not null 5"), ("1e3", "double not null 1000.0"), ("1.5e-1", "double not null 0.15"),
    ("-0.0", "decimal(1,1) not null 0.0"),
    // sums: max(p-s) + s + 1 digits, at most 38, and then exact
    ("1.5 + 2.25", "decimal(4,2) not null 3.75"), ("1.5 + 2", "decimal(12,1) not null 3.5"),
    ("1.5 + 3000000000", "decimal(21,1) not null 3000000001.5"),
    ("d + 1.0", "decimal(19,3) 13.345"),
    ("d - e", "decimal(38,10) 9.8450000000"), ("d + n", "decimal(23,3) 19.345"), ("d + x", "double 14.845"),
    // products: p1+p2+1 digits; past 38 decimal(38,s1+s2)
    ("1.5 * 1.5", "decimal(5,2) not null 2.25"), ("d * 2", "decimal(29,3) 24.690"),
    ("d * (1 + 1)", "decimal(29,3) 24.690"), ("d * n", "decimal(38,3) 86.415"),
    ("d * d", "decimal(37,6) 152.399025"),
    ("e * d", "decimal(38,13) 30.8625000000000"), ("2 * 2.5e0", "double not null 5.0"),
    // quotients: scale max(6, s1+p2+1), cut to 38 digits with at least 6 of fraction; away from zero at a tie
    ("1.0 / 3.0", "decimal(8,6) not null 0.333333"), ("2.0 / 3.0", "decimal(8,6) not null 0.666667"),
    ("-2.0 / 3.0", "decimal(8,6) not null -0.666667"), ("0.000001 / 2.0", "decimal(10,9) not null 0.000000500"),
    ("1 / 3", "decimal(21,11) not null 0.33333333333"),
    ("7 / 2", "decimal(21,11) not null 3.50000000000"),
    ("d / 7", "decimal(29,14) 1.76357142857143"), ("d / n", "decimal(38,23) 1.76357142857142857142857"),
    ("e / e", "decimal(38,6) 1.000000"),
    ("e / 3.00", "decimal(38,8) 0.83333333"), ("1.0 / 8000000.0", "decimal(12,10) not null 0.0000001250"),
    ("0.00000005 / 1.0", "decimal(12,11) not null 0.00000005000"), ("d / 2.5e0", "double 4.938000000000001"),
    ("1.5 % 0.4", "decimal(1,1) not null 0.3"), ("-1.5 % 0.4", "decimal(1,1) not null -0.3"),
    ("d % 1", "decimal(13,3) 0.345"),
    ("7.5e0 % 2e0", "double not null 1.5"), ("mod(7, 4)", "int64 not null 3"), ("-n", "int64 -7"),
    ("-d", "decimal(18,3) -12.345"),
    ("n / m", "decimal(38,19) -3.5000000000000000000"),
  ]) func arithmetic_hasTheTypeAndDigitsOfSQL(text: String, expected: String) { #expect(outcome(text) == expected) }

  @Test(arguments: [
    ("99999999999999999999999999999999999999 - 1", "99999999999999999999999999999999999998"),
    ("177771048886912595.2 - 99999999999999999.999999999999999999999", "77771048886912595.200000000000000000001"),
    ("-99999999999999999.999999999999999999999 + 177771048886912595.2", "77771048886912595.200000000000000000001"),
    (
      "99999999999999999.999999999999999999999 + 177771048886912595.2",
      "failed: 99999999999999999.999999999999999999999 + 177771048886912595.2 does not fit decimal(38,21)"
    ),
    (
      "99999999999999999999999999999999999999 / 1",
      "failed: 99999999999999999999999999999999999999 / 1 does not fit decimal(38,6)"
    ),
    (
      "12345678901234567890123456789012345678 / 3.00",
      "failed: 12345678901234567890123456789012345678 / 3.00 does not fit decimal(38,6)"
    ),
    ("1234567890123456789012345678.0123456789 / 2.0", "617283945061728394506172839.006172839"),
    (
      "9999999999999999999.0 * 9999999999999999999.0",
      "failed: 9999999999999999999.0 * 9999999999999999999.0 does not fit decimal(38,2)"
    ),
    ("999999999999999999.0 * 999999999999999999.0", "999999999999999998000000000000000001.00"),
    (
      "99999999999999999999999999999999999999 % 0.00000000000000000000000000000000000007",
      "0.00000000000000000000000000000000000002"
    ),
    ("99999999999999999999999999999999999999 % 7", "1"),
    (
      "1 / 0.00000000000000000000000000000000000003",
      "failed: 1 / 0.00000000000000000000000000000000000003 does not fit decimal(38,6)"
    ),
    ("0.00000000000000000000000000000000000001 / 0.00000000000000000000000000000000000003", "0.333333"),
    ("9999999999999999999999999999999999999 = 9999999999999999999999999999999999999.0", "true"),
    ("99999999999999999999999999999999999999 > 0.00000000000000000000000000000000000001", "true"),
    ("-99999999999999999999999999999999999999 < 0.00000000000000000000000000000000000001", "true"),
  ]) func arithmeticAtThirtyEightDigits_isExactOrAnError(text: String, expected: String) {
    #expect(value(text) == expected)
  }

  @Test(arguments: [
    ("9223372036854775807 + 1", "failed: 9223372036854775807 + 1 does not fit int64"),
    ("-9223372036854775808 - 1", "failed: -9223372036854775808 - 1 does not fit int64"),
    ("9223372036854775807 * 2", "failed: 9223372036854775807 * 2 does not fit int64"),
    ("-(-9223372036854775808)", "failed: the opposite of -9223372036854775808 does not fit int64"),
    ("abs(-9223372036854775808)", "failed: the opposite of -9223372036854775808 does not fit int64"),
    ("1 / 0", "failed: division by zero: 1 / 0"), ("1 % 0", "failed: division by zero: 1 % 0"),
    ("1.5 / 0.0", "failed: division by zero: 1.5 / 0.0"), ("1.5 % 0.0", "failed: division by zero: 1.5 % 0.0"),
    ("1e0 / 0e0", "failed: division by zero: 1.0 / 0.0"), ("0e0 / 0e0", "failed: division by zero: 0.0 / 0.0"),
    ("1e0 % 0e0", "failed: division by zero: 1.0 % 0.0"),
    ("1e300 * 1e300", "failed: 1e+300 * 1e+300 is no finite double"),
    ("sqrt(-1)", "failed: sqrt(-1.0) is no finite double"), ("ln(0)", "failed: ln(0.0) is no finite double"),
    ("power(10, 400)", "failed: power(10.0, 400.0) is no finite double"),
    (
      "round(99999999999999999999999999999999999999, -1)",
      "failed: 99999999999999999999999999999999999999 rounded to -1 digits does not fit decimal(38,0)"
    ),
    ("round(9223372036854775807, -1)", "failed: 9223372036854775807 rounded to -1 digits does not fit int64"),
  ]) func whatHasNoResult_failsTheRowAndSaysWhy(text: String, expected: String) { #expect(outcome(text) == expected) }

  @Test(arguments: [
    ("round(2.5)", "decimal(2,0) not null 3"), ("round(-2.5)", "decimal(2,0) not null -3"),
    ("round(2.4999)", "decimal(2,0) not null 2"),
    ("round(1.005, 2)", "decimal(4,2) not null 1.01"), ("round(9.99, 1)", "decimal(3,1) not null 10.0"),
    ("round(d, 5)", "decimal(18,3) 12.345"),
    ("round(d, 2)", "decimal(18,2) 12.35"), ("round(d, -1)", "decimal(16,0) 10"),
    ("round(155, -1)", "int64 not null 160"),
    // ties to the even neighbour, on either side of zero, and no others
    ("round_half_even(2.5, 0)", "decimal(2,0) not null 2"), ("round_half_even(3.5, 0)", "decimal(2,0) not null 4"),
    ("round_half_even(-2.5, 0)", "decimal(2,0) not null -2"), ("round_half_even(-3.5, 0)", "decimal(2,0) not null -4"),
    ("round_half_even(2.51, 0)", "decimal(2,0) not null 3"), ("round_half_even(2.49, 0)", "decimal(2,0) not null 2"),
    ("round_half_even(1.005, 2)", "decimal(4,2) not null 1.00"),
    ("round_half_even(1.015, 2)", "decimal(4,2) not null 1.02"),
    ("round_half_even(9.95, 1)", "decimal(3,1) not null 10.0"), ("round_half_even(d, 5)", "decimal(18,3) 12.345"),
    ("round_half_even(d, 2)", "decimal(18,2) 12.34"), ("round_half_even(145, -1)", "int64 not null 140"),
    ("round(-155, -1)", "int64 not null -160"), ("round(5, -2)", "int64 not null 0"),
    ("round(7, 2)", "int64 not null 7"),
    ("round(2.5e0)", "double not null 3.0"), ("round(1.005e0, 2)", "double not null 1.01"),
    ("round(-2.675e0, 2)", "double not null -2.68"),
    ("round(1e300, 2)", "double not null 1e+300"), ("round(12345.678e0, -2)", "double not null 12300.0"),
    ("truncate(-2.79, 1)", "decimal(3,1) not null -2.7"), ("truncate(-2.79e0, 1)", "double not null -2.7"),
    ("floor(2.7)", "decimal(2,0) not null 2"), ("floor(-2.1)", "decimal(2,0) not null -3"),
    ("ceil(2.1)", "decimal(2,0) not null 3"),
    ("ceiling(-2.9)", "decimal(2,0) not null -2"), ("ceil(9.9)", "decimal(2,0) not null 10"),
    ("floor(-0.5e0)", "double not null -1.0"),
    ("floor(7)", "int64 not null 7"), ("abs(-7)", "int64 not null 7"), ("abs(-1.5)", "decimal(2,1) not null 1.5"),
    ("abs(-1.5e0)", "double not null 1.5"), ("sign(-3.2)", "int64 not null -1"), ("sign(0)", "int64 not null 0"),
    ("sign(2e0)", "double not null 1.0"),
    ("power(2, 10)", "double not null 1024.0"), ("sqrt(2.25)", "double not null 1.5"),
    ("exp(0)", "double not null 1.0"),
    ("log10(1000)", "double not null 3.0"), ("greatest(1, 2.5, 2)", "decimal(11,1) not null 2.5"),
    ("least(1, 2.5e0)", "double not null 1.0"),
    ("greatest(n, null)", "int64 null"), ("least('b', 'a')", "string not null 'a'"),
    ("greatest(at, timestamp '2020-01-01T00:00:00Z')", "timestamp 2026-01-31T13:34:56.789Z"),
  ]) func numericFunctions_roundAwayFromZero(text: String, expected: String) { #expect(outcome(text) == expected) }
}
