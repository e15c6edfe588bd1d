import Testing

@Suite struct CastTests {
  @Test(arguments: [
    ("cast('12' as int64)", "int64 not null 12"), ("cast(' -7 ' as bigint)", "int64 not null -7"),
    ("cast('1e3' as int)", "int64 not null 1000"), ("cast('12.50' as decimal(5,1))", "decimal(5,1) not null 12.5"),
    ("cast('12.345' as decimal(5,2))", "decimal(5,2) not null 12.35"),
    ("cast('-12.345' as decimal(5,2))", "decimal(5,2) not null -12.35"),
    ("cast('12.3449999999999999999999999999999999999999999999' as decimal(5,2))", "decimal(5,2) not null 12.34"),
    ("cast(12.345 as decimal(4,2))", "decimal(4,2) not null 12.35"),
    ("cast(-12.345 as decimal(4,2))", "decimal(4,2) not null -12.35"), ("cast(1.9 as int64)", "int64 not null 1"),
    ("cast(-1.9 as int64)", "int64 not null -1"), ("cast(2.9e0 as int64)", "int64 not null 2"),
    ("cast(1.5 as double)", "double not null 1.5"), ("cast(0.1 as double)", "double not null 0.1"),
    ("cast(12345678901234567890123456789012345678 as double)", "double not null 1.2345678901234568e+37"),
    ("cast(2.675e0 as decimal(4,2))", "decimal(4,2) not null 2.68"),
    ("cast(1e20 as decimal(38,2))", "decimal(38,2) not null 100000000000000000000.00"),
    ("cast(5 as decimal(4,2))", "decimal(4,2) not null 5.00"),
    ("cast(d as decimal(38,20))", "decimal(38,20) 12.34500000000000000000"),
    ("cast(d as decimal(18,4))", "decimal(18,4) 12.3450"), ("cast(d as decimal(6,0))", "decimal(6,0) 12"),
    ("cast(n as string)", "string '7'"), ("cast(d as string)", "string '12.345'"),
    ("cast(-0.5 as string)", "string not null '-0.5'"), ("cast(x as string)", "string '2.5'"),
    ("cast(b as string)", "string 'true'"), ("cast(at as string)", "string '2026-01-31T13:34:56.789Z'"),
    ("cast(day as string)", "string '2026-01-31'"),
    ("cast(raw as string)", "string 'AQL6'"), ("cast('AQL6' as bytes)", "bytes not null [1, 2, 250]"),
    ("cast('QQ==' as bytes)", "bytes not null [65]"), ("cast('QUI=' as bytes)", "bytes not null [65, 66]"),
    ("cast('' as bytes)", "bytes not null []"), ("cast(e as string)", "string '2.5000000000'"),
    ("cast('2026-01-31T13:45:00Z' as timestamp)", "timestamp not null 2026-01-31T13:45:00.000Z"),
    ("cast('2026-01-31 13:45:00+01:00' as timestamp)", "timestamp not null 2026-01-31T12:45:00.000Z"),
    ("cast('2026-01-31' as date)", "date not null 2026-01-31"), ("cast(at as date)", "date 2026-01-31"),
    ("cast(timestamp '1969-12-31T23:59:59Z' as date)", "date not null 1969-12-31"),
    ("cast(day as timestamp)", "timestamp 2026-01-31T00:00:00.000Z"),
    ("cast('TRUE' as boolean)", "boolean not null true"), ("cast(2 as boolean)", "boolean not null true"),
    ("cast(b as int64)", "int64 1"), ("cast(true as decimal(3,1))", "decimal(3,1) not null 1.0"),
    ("cast(null as decimal(3,1))", "decimal(3,1) null"), ("cast(1 as numeric(5,2))", "decimal(5,2) not null 1.00"),
    ("cast(1 as double precision)", "double not null 1.0"),
    ("try_cast('x' as int64)", "int64 null"), ("try_cast(s as int64)", "int64 null"),
    ("try_cast('9' as int64)", "int64 not null 9"), ("try_cast(d as decimal(3,2))", "decimal(3,2) null"),
    ("cast(s as int64)", "failed: 'voice' is no int64"),
    ("cast(d as decimal(3,2))", "failed: 12.345 is no decimal(3,2)"),
    ("cast(s as timestamp)", "failed: 'voice' is no timestamp"),
    ("cast(t as double)", "failed: 'Ünïcode ✓' is no double"),
    ("cast(s || '!' as bytes)", "failed: 'voice!' is no bytes"),
    ("cast(x * 1e300 as int64)", "failed: 2.5e+300 is no int64"),
    ("cast(s as boolean)", "failed: 'voice' is no boolean"), ("try_cast(cast(1 / m as string) as int64)", "int64 null"),
  ]) func casts_readTextAsJSONWritesIt(text: String, expected: String) { #expect(outcome(text) == expected) }

  @Test(arguments: [
    "'12.5' as int64", "'0x10' as int64", "'1_000' as int64", "'' as int64", "'9223372036854775808' as int64",
    "'nan' as double", "'inf' as double", "'1e400' as double", "'12345.6' as decimal(5,1)", "1e30 as decimal(18,2)",
    "1e20 as int64",
    "'2026-01-31' as timestamp", "'2026-02-30' as date", "'2026-01-31T13:45:00' as timestamp", "'yes' as boolean",
    "'A' as bytes", "'####' as bytes", "'+' as decimal(5,1)", "999.99 as decimal(3,0)", "'1.' as decimal(3,1)",
  ]) func aLiteralThatCannotBeCast_isAFault(cast: String) {
    #expect(outcome("cast(\(cast))").hasPrefix("fault@0+"))
    #expect(value("try_cast(\(cast))") == "null")
  }
}
