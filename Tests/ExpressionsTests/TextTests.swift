import Testing

@testable import Expressions

@Suite struct TextTests {
  @Test(arguments: [
    // positions below 1 count as SQL does
    ("substring('abcdef' from 2 for 3)", "'bcd'"), ("substring('abcdef', 2)", "'bcdef'"),
    ("substring('abcdef' from 0 for 3)", "'ab'"),
    ("substring('abcdef' from -1 for 3)", "'a'"), ("substring('abcdef' from -5 for 3)", "''"),
    ("substring('abcdef' from -5)", "'abcdef'"),
    ("substring('abcdef' from 7)", "''"), ("substring('abcdef' from 6 for 100)", "'f'"),
    ("substring('abcdef' from 3 for 0)", "''"),
    ("substring('abcdef' from 2 for 9223372036854775807)", "'bcdef'"),
    ("substring('abc' from -9223372036854775808 for 9223372036854775807)", "''"),
    ("substring('abc' from 2 for -1)", "failed: a substring of length -1"),
    ("substring('Ünïcode' from 2 for 3)", "'nïc'"), ("substr('abc', 2, 1)", "'b'"),
    ("left('Ünï', 2)", "'Ün'"), ("left('abc', 9)", "'abc'"), ("left('abc', -1)", "''"), ("right('Ünï', 2)", "'nï'"),
    ("right('abc', 0)", "''"), ("right('abc', 9)", "'abc'"),
    ("length('Ünï✓')", "4"), ("char_length('')", "0"), ("octet_length('Ünï')", "5"),
    // trim in all its forms
    ("trim('  a b  ')", "'a b'"), ("trim(both from '  a ')", "'a'"), ("trim(leading from ' a ')", "'a '"),
    ("trim(trailing from ' a ')", "' a'"),
    ("trim('x' from 'xxaxx')", "'a'"), ("trim(both 'x' from 'xxaxx')", "'a'"),
    ("trim(leading 'x' from 'xxaxx')", "'axx'"), ("trim(trailing 'xy' from 'axyx')", "'a'"),
    ("trim('ü' from 'üaü')", "'a'"), ("trim(' ' from '   ')", "''"), ("trim(s from 'voice mail')", "' mail'"),
    ("ltrim('xa', 'x')", "'a'"), ("rtrim(' a ')", "' a'"), ("btrim('-a-', '-')", "'a'"),
    ("trim('\t a')", "'\t a'"),
    ("upper('straße ï')", "'STRASSE Ï'"), ("lower('ÀB')", "'àb'"), ("upper(t)", "'ÜNÏCODE ✓'"),
    ("lower('ABC[z]')", "'abc[z]'"),
    ("'a' || 'b' || 'c'", "'abc'"), ("concat('a', s)", "'avoice'"), ("'a' || null", "null"),
    ("concat('a', null, 'b')", "null"), ("'it''s'", "'it''s'"),
    ("replace('aXbXc', 'X', '--')", "'a--b--c'"), ("replace('aaa', 'aa', 'b')", "'ba'"),
    ("replace('abc', '', 'x')", "'abc'"), ("replace('abc', 'abc', '')", "''"),
    ("position('i' in s)", "3"), ("position('✓' in t)", "9"), ("position('' in s)", "1"), ("position('z', s)", "0"),
    ("position('bc' in 'abbc')", "3"),
    ("starts_with(s, 'vo')", "true"), ("ends_with(s, 'ice')", "true"), ("starts_with(s, '')", "true"),
    ("ends_with('a', 'ba')", "false"),
    ("lpad('7', 3, '0')", "'007'"), ("lpad('1234', 3, '0')", "'123'"), ("rpad('a', 4, 'xy')", "'axyx'"),
    ("lpad('a', 3, '')", "null"), ("rpad('ü', 3)", "'ü  '"),
    ("rpad('a', -1)", "failed: a text cannot be padded to length -1"),
  ]) func textFunctions_countCharacters(text: String, expected: String) {
    #expect(value(text) == expected.replacing("it''s", with: "it's"))
  }

  /// Published digests (FIPS 180-4's examples among them), and lengths around a block's.
  @Test(arguments: [
    ("sha256('')", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("sha256('abc')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "sha256('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq')",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    ("sha256(lpad('', 55, 'a'))", "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"),
    ("sha256(lpad('', 56, 'a'))", "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"),
    ("sha256(lpad('', 64, 'a'))", "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"),
    ("sha256('Ünï✓')", "c9de71820737cad01a04df741d2b661dfcde53dd600bc15366be648ebaf78069"),
  ]) func sha256_isTheDigestInHexadecimal(text: String, expected: String) {
    #expect(value(text) == "'\(expected)'")
  }

  @Test(arguments: [
    ("s like 'voice'", "true null false"), ("s like 'v%'", "true null false"), ("s like '%a'", "false null true"),
    ("s like '%oi%'", "true null false"), ("s like '_oice'", "true null false"),
    ("s like '_%e'", "true null false"), ("s like 'd_t_'", "false null true"), ("s like ''", "false null false"),
    ("s like '%'", "true null true"), ("s not like 'v%'", "false null true"),
    ("t like '100!%!_%' escape '!'", "false false true"), ("t like '%!%%' escape '!'", "false false true"),
    ("t like '_n_code _'", "true false false"), ("t like ''", "false true false"),
    ("t like '%✓'", "true false false"), ("t like '%o%e%d%'", "false false false"),
    ("t like '%o_e%'", "true false true"), ("s like 'v%e'", "true null false"),
    ("'ab' like 'ab%b'", "false false false"),
    ("s like t", "false null false"), ("t like t", "true true true"),
    ("'a' like case when m = 0 then 'a%' else '_' end", "true true true"),
    ("t like '%' || '_' || 'done'", "false false true"), ("s like null", "null null null"),
  ]) func likePatterns_matchTheWholeText(text: String, expected: String) {
    #expect((0..<3).map { value(text, row: $0) }.joined(separator: " ") == expected)
  }

  @Test func aPatternOfARow_thatIsMalformedFailsTheRow() {
    #expect(
      value("s like s || '!' escape '!'")
        == "failed: 'voice!' is no pattern of like: the escape stands before neither %, _ nor itself")
    #expect(value("s like s escape s") == "failed: 'voice' is no pattern of like: an escape is one character")
    #expect(
      value("regexp_like(s, '(' || s)") == "failed: '(voice' is no regular expression: a `(` that is never closed")
  }

  @Test(arguments: [
    ("abc", "xabcx", true), ("^abc$", "abc", true), ("^abc$", "abcd", false), ("^$", "", true), ("", "anything", true),
    ("a|b", "xb", true), ("^(a|bc)+$", "abcbca", true), ("^(a|bc)+$", "abb", false),
    ("colou?r", "color", true), ("^a{2,3}$", "aa", true), ("^a{2,3}$", "aaaa", false), ("^a{2}$", "aaa", false),
    ("^a{2,}$", "aaaaa", true), ("^[0-9]+$", "123", true), ("^[^0-9]+$", "12a", false),
    ("^\\d{3}-\\d{4}$", "555-1234", true), ("^\\+?[1-9]\\d{6,14}$", "+353861234567", true),
    ("\\bcat\\b", "a cat sat", true), ("\\bcat\\b", "concatenate", false), ("\\Bcat", "concat", true),
    ("^.$", "é", true), ("^.$", "✓", true), ("^.$", "😀", true), ("^..$", "é", false), ("^[à-ü]+$", "éè", true),
    ("^[^a]$", "✓", true), ("(?i)VOICE", "voice", true), ("(?i)É", "é", true), ("a.c", "a\nc", false),
    ("^[]a]+$", "]a", true), ("^[a\\-z]+$", "a-z", true), ("[[:alpha:]]+[[:digit:]]", "ab1", true),
    ("^[\\w.-]+@[\\w-]+\\.[a-z]{2,}$", "a.b@c-d.ie", true), ("^(?:ab)*$", "abab", true), ("^(?<x>a)b$", "ab", true),
    ("a*?b", "aab", true), ("^\\x41\\u00e9$", "Aé", true), ("\\(\\)", "f()", true),
    ("(a*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false), ("^\\S+\\s\\S+$", "a b", true),
    ("[^\\d]", "123", false), ("a$|^b", "ba", true), ("(^|,)x(,|$)", "a,x", true), ("^[a-]+$", "-a", true),
  ]) func regularExpressions_findWhatTheyDescribe(pattern: String, text: String, expected: Bool) throws {
    let compiled = try RegularExpression(pattern)
    var text = text
    #expect(text.withUTF8 { compiled.matches($0) } == expected)
    let automaton = try Automaton(try RegularExpressionParserTests.node(pattern))
    #expect(text.withUTF8 { automaton.matches($0) } == expected, "followed through all states")
  }

  @Test(arguments: [
    "(", ")", "[", "[a", "a{", "a{2,1}", "*a", "a**+", "\\", "\\1", "\\q", "(?=a)", "(?<!a)", "[z-a]", "[[:nope:]]",
    "a{1001}", "((a{1000}){1000})", "^*", "\\x4", "a++",
  ])
  func aMalformedRegularExpression_isRefused(pattern: String) {
    #expect(throws: RegularExpression.Fault.self) { try RegularExpression(pattern) }
  }

  @Test func aRegularExpressionWithALargeTable_isFollowedThroughItsStatesAtOnce() throws {
    let compiled = try RegularExpression("^(a|b)*a(a|b){14}$")
    func matches(_ text: String) -> Bool { Array(text.utf8).withUnsafeBufferPointer { compiled.matches($0) } }
    #expect(matches("bbabbbbbbbbbbbbbb"))
    #expect(!matches("babbbbbbbbbbbbbbb"))
  }

  @Test func everyCharacterOfARange_isInItsByteSequences() {
    for range: ClosedRange<UInt32> in [0x20...0x10FFFF, 0x7E...0x801, 0x7FF...0x10000, 0xE9...0xE9, 0x1F600...0x1F64F] {
      let sequences = ByteSequences.of(range)
      for value: UInt32 in [
        0x20, 0x7E, 0x7F, 0x80, 0xE8, 0xE9, 0xEA, 0x7FF, 0x800, 0x801, 0x802, 0xFFFF, 0x10000, 0x10001, 0x1F600,
        0x1F64F, 0x1F650, 0x10FFFF,
      ] {
        guard let scalar = Unicode.Scalar(value) else { continue }
        let bytes = Array(String(scalar).utf8)
        let isIn = sequences.contains { $0.count == bytes.count && zip($0, bytes).allSatisfy { $0.contains($1) } }
        #expect(isIn == range.contains(value), "\(value) in \(range)")
      }
    }
  }
}

enum RegularExpressionParserTests {
  static func node(_ pattern: String) throws -> RegularExpressionNode {
    var parser = RegularExpressionParser(pattern)
    return try parser.parse()
  }
}
