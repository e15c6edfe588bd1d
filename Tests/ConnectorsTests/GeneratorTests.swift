import Formats
import StreamModel
import Testing

@testable import Connectors

/// One generated line, taken apart without a decoder.
private struct Line {
  let text: String
  let fields: [String: String]

  init(_ bytes: Substring) {
    text = String(bytes)
    var fields: [String: String] = [:]
    for pair in bytes.dropFirst().dropLast().split(separator: ",") {
      let parts = pair.split(separator: ":", maxSplits: 1).map { $0.filter { $0 != "\"" } }
      if parts.count == 2 { fields[parts[0]] = parts[1] }
    }
    self.fields = fields
  }

  var time: EventTime? { fields["started_at"].flatMap { CivilTime.parseTimestamp($0) } }
  var account: String { fields["account_id"] ?? "" }
  var thousandths: Int64 { Int64((fields["quantity"] ?? "").filter { $0 != "." }) ?? -1 }
}

private func spec(_ rows: Int64?, _ change: (inout GeneratorSpec) -> Void = { _ in }) -> GeneratorSpec {
  var spec = GeneratorSpec()
  spec.rows = rows
  change(&spec)
  return spec
}

private func bytes(
  _ spec: GeneratorSpec, format: Format = .json, targetBytes: () -> Int = { 1 << 20 }
) throws -> [UInt8] {
  let reader = GeneratorSourceReader(spec, source: "usage", format: format)
  try reader.open()
  var bytes: [UInt8] = []
  while case .chunk(let chunk, _) = try reader.next(targetBytes: targetBytes()) { bytes += chunk.bytes }
  return bytes
}

private func lines(_ spec: GeneratorSpec) throws -> [Line] {
  String(decoding: try bytes(spec), as: UTF8.self).split(separator: "\n").map { Line($0) }
}

@Suite struct GeneratorTests {
  @Test func sameSeed_givesTheSameBytes_whateverTheChunks() throws {
    var random = testRandom()
    let settings = spec(9000) {
      $0.duplicates = 0.02
      $0.missing = 0.02
      $0.corrupt = 0.02
      $0.late = 0.02
      $0.spikes = 0.01
    }
    let expected = try bytes(settings)
    #expect(expected.count { $0 == 10 } == 9000)
    for most in [500, 40_000, 3_000_000] {
      #expect(try bytes(settings) { Int.random(in: 1...most, using: &random) } == expected)
    }
    #expect(try bytes(spec(100) { $0.seed = 2 }) != bytes(spec(100)))
  }

  @Test func bytes_areThoseOfEveryOtherMachine() throws {
    let settings = spec(4100) {
      $0.duplicates = 0.01
      $0.corrupt = 0.01
      $0.late = 0.01
      $0.missing = 0.01
      $0.spikes = 0.01
    }
    let digest = try bytes(settings).reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    #expect(String(digest, radix: 16) == "f78f184b02d3792f")
  }

  @Test func firstRecords_areTheSame_whateverTheirNumber() throws {
    let few = try bytes(spec(5000))
    #expect(try bytes(spec(9000)).starts(with: few))
  }

  @Test func chunks_endAtRecordEnds_andHaveAboutTheSizeAskedFor() throws {
    let reader = GeneratorSourceReader(spec(20_000), source: "usage", format: .json)
    try reader.open()
    var last: Int64 = -1
    while case .chunk(let chunk, _) = try reader.next(targetBytes: 100_000) {
      #expect(chunk.bytes.last == 10)
      #expect(chunk.count <= 125_000)
      #expect(chunk.offset > last)
      last = chunk.position(ofRecordAt: chunk.count - 1)
    }
  }

  @Test func seek_goesOnWhereThePositionSays() throws {
    var random = testRandom()
    let settings = spec(12_500) { $0.corrupt = 0.05 }
    let expected = try bytes(settings)
    for _ in 0..<5 {
      var found: [UInt8] = []
      var ended = 0
      var positions: [PartitionPosition] = []
      reading: while true {
        let reader = GeneratorSourceReader(settings, source: "usage", format: .json)
        try reader.open()
        try reader.seek(to: positions)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          switch try reader.next(targetBytes: Int.random(in: 1...400_000, using: &random)) {
          case .chunk(let chunk, _): found += chunk.bytes
          case .endOfPartition: ended += 1
          case .endOfInput: break reading
          default: Issue.record("neither chunk nor end")
          }
        }
        positions = reader.positions
      }
      #expect(found == expected)
      #expect(ended == 1)
    }
  }

  @Test func positionOfOtherSettings_isRefused() throws {
    let reader = GeneratorSourceReader(spec(100), source: "usage", format: .json)
    let text = message {
      try reader.seek(to: [PartitionPosition(partition: "generator", offset: 7, isAtEnd: false)])
    }
    #expect(text.contains("the generator's settings have changed since the checkpoint"))
  }

  @Test func withoutRows_itDoesNotEnd() throws {
    let reader = GeneratorSourceReader(spec(nil), source: "usage", format: .json)
    try reader.open()
    var count = 0
    for _ in 0..<5 {
      guard case .chunk(let chunk, _) = try reader.next(targetBytes: 1 << 20) else { break }
      count += chunk.bytes.count { $0 == 10 }
    }
    #expect(count == 5 * 4096)
  }

  // MARK: - What the records say

  @Test func records_areSoundUsage() throws {
    var identities: Set<String> = []
    for line in try lines(spec(4000)) {
      #expect(line.fields.count == 11, "\(line.text)")
      #expect(line.time != nil && line.thousandths > 0)
      #expect(line.account.wholeMatch(of: /acc-\d{6}/) != nil)
      let home = UsageCountry.all.first {
        (line.fields["msisdn"] ?? "").hasPrefix("+\($0.mobile.first / $0.mobile.count)")
      }
      #expect((line.fields["msisdn"] ?? "").wholeMatch(of: /\+\d{11,13}/) != nil && home != nil)
      #expect((line.fields["cell_id"] ?? "").wholeMatch(of: /\d{3}-\d\d-\d{4}-\d{5}/) != nil)
      let destination = line.fields["destination"] ?? ""
      #expect(
        line.fields["service"] == "data"
          ? destination.wholeMatch(of: /[a-z.]+/) != nil : destination.wholeMatch(of: /\+\d{10,15}/) != nil)
      #expect((line.fields["roaming"] == "true") == (line.fields["country"] != home.map { "\($0.code)" }))
      identities.insert(line.fields["record_id"] ?? "")
    }
    #expect(identities.count == 4000)
  }

  @Test func services_numbersAndTrips_areMixedAsInLife() throws {
    let all = try lines(spec(8000))
    func share(_ isCounted: (Line) -> Bool) -> Double { Double(all.count(where: isCounted)) / Double(all.count) }
    #expect((0.43...0.47).contains(share { $0.fields["service"] == "voice" }))
    #expect((0.18...0.22).contains(share { $0.fields["service"] == "sms" }))
    #expect((0.005...0.15).contains(share { $0.fields["roaming"] == "true" }))
    #expect((0.04...0.15).contains(share { $0.fields["international"] == "true" }))
    let premium = UsageCountry.all.map { "+\($0.premium.first / $0.premium.count)" }
    #expect(
      (0.003...0.03).contains(
        share { line in premium.contains { (line.fields["destination"] ?? "").hasPrefix($0) } }))
    let calls = all.filter { $0.fields["service"] == "voice" }.map(\.thousandths).sorted()
    #expect((70_000...100_000).contains(calls[calls.count / 2]))
    #expect(calls[calls.count * 99 / 100] > 600_000)
  }

  @Test func accounts_areAtHomeInSeveralCountries_eachInOne() throws {
    var homes: [String: Set<String>] = [:]
    for line in try lines(spec(8000)) where line.fields["roaming"] == "false" {
      homes[line.account, default: []].insert(line.fields["country"] ?? "")
    }
    #expect(homes.values.allSatisfy { $0.count == 1 })
    let counts = Dictionary(homes.values.compactMap(\.first).map { ($0, 1) }, uniquingKeysWith: +)
    #expect(counts.count == UsageCountry.all.count)
    for country in ["IE", "MA", "FR", "GB", "US", "IN"] {
      #expect((counts[country] ?? 0) * 20 > homes.count, "\(country): \(counts[country] ?? 0) of \(homes.count)")
    }
    #expect(UsageCountry.homes.count == 64)
  }

  @Test func firstRecord_isAtTheStart_andNoneButLateOnesIsBefore() throws {
    for start in [1_767_225_600_000, 1_767_225_600_017, -1_000_000_000_123] as [EventTime] {
      for rate in [0.01, 50, 20_000] {
        let times = try lines(
          spec(500) {
            $0.start = start; $0.recordsPerEventSecond = rate
          }
        ).compactMap(\.time)
        #expect(times.first == start)
        #expect(times.min() == start)
      }
    }
  }

  @Test func popularity_isZipfs() throws {
    var counts: [ArraySlice<UInt8>: Int] = [:]
    for line in try bytes(spec(30_000)).split(separator: 10) {
      // {"record_id":"0123456789abcdef","account_id":"acc-000001"
      counts[line[(line.startIndex + 46)..<(line.startIndex + 56)], default: 0] += 1
    }
    let ranked = counts.values.sorted(by: >)
    let total = (1...1000).reduce(0.0) { $0 + PortableMath.exponential(-1.3 * PortableMath.logarithm(Double($1))) }
    for rank in [1, 2, 3, 5, 10] {
      let expected = 30_000 / total * PortableMath.exponential(-1.3 * PortableMath.logarithm(Double(rank)))
      #expect(abs(Double(ranked[rank - 1]) / expected - 1) < 0.1, "rank \(rank)")
    }
    #expect(counts.count > 700)
  }

  @Test func rate_followsDayAndWeek_withTheMeanAskedFor() throws {
    var clock = UsageClock(start: 1_767_225_600_000, recordsPerEventSecond: 0.1)
    let week = 60_480
    var perHour = [Int](repeating: 0, count: 168)
    var last = EventTime.min
    for index in 0..<Int64(week) {
      let time = clock.time(ofRecord: index)
      #expect(time >= last)
      last = time
      // Hours since the Thursday on which it starts.
      perHour[Int((time - 1_767_225_600_000) / 3_600_000)] += 1
    }
    #expect(abs(clock.time(ofRecord: Int64(week)) - 1_767_225_600_000 - 604_800_000) <= 1)
    #expect(perHour[19] > 8 * perHour[4])
    let saturday = perHour[48..<72].reduce(0, +)
    #expect(saturday < perHour[0..<24].reduce(0, +))
    #expect(perHour[48 + 9] < perHour[9])
    #expect(perHour[48 + 1] > perHour[1])
  }

  @Test func withoutAnomalies_disorderIsBounded() throws {
    for rate in [0.5, 50, 5000] {
      var latest = EventTime.min
      var disorder: Int64 = 0
      var late = 0
      for line in try lines(spec(5000) { $0.recordsPerEventSecond = rate }) {
        let time = try #require(line.time)
        if latest != .min { disorder = max(disorder, latest - time) }
        if time < latest { late += 1 }
        latest = max(latest, time)
      }
      #expect(disorder < UsageModel.maximumDisorderMilliseconds)
      if rate > 1 { #expect(late > 500) }
    }
  }

  // MARK: - Anomalies

  @Test func anomalies_haveTheirShares_andAreWhatTheySay() throws {
    let settings = spec(30_000) {
      $0.duplicates = 0.02
      $0.missing = 0.01
      $0.corrupt = 0.015
      $0.late = 0.005
    }
    let generator = UsageGenerator(settings, format: .json)
    for block in 0..<Int64(8) { generator.generate(block: block) }
    let counts = generator.counts
    #expect(counts.records == 30_000)
    for (count, share) in [
      (counts.duplicates, 0.02), (counts.missing, 0.01), (counts.corrupt, 0.015), (counts.late, 0.005),
    ] {
      #expect(abs(Double(count) / 30_000 / share - 1) < 0.25, "\(count) for a share of \(share)")
    }
    var seen: Set<String> = []
    var found = GeneratedCounts()
    var latest: EventTime = 0
    for record in try bytes(settings).split(separator: 10) {
      let text = String(validating: record, as: UTF8.self)
      guard let text, text.hasPrefix("{"), text.hasSuffix("}") else {
        found.corrupt += 1
        continue
      }
      let line = Line(text[...])
      guard let time = line.time, line.account.hasPrefix("acc-"), line.fields["record_id"]?.count == 16 else {
        found.missing += 1
        continue
      }
      if time <= latest - 10_001 { found.late += 1 }
      latest = max(latest, time)
      if !seen.insert(text).inserted { found.duplicates += 1 }
    }
    #expect(found.duplicates == counts.duplicates)
    #expect(found.missing == counts.missing)
    #expect(found.corrupt == counts.corrupt)
    #expect(found.late == counts.late)
  }

  @Test(arguments: [Format.json, .csv(CSVOptions())])
  func spoiltRecords_doNotDecode_andAllOthersDo(_ format: Format) throws {
    let settings = spec(8000) {
      $0.duplicates = 0.02
      $0.missing = 0.05
      $0.corrupt = 0.05
      $0.late = 0.02
      $0.spikes = 0.01
    }
    let schema = Schema([
      Field("record_id", .string, nullable: false), Field("account_id", .string, nullable: false),
      Field("msisdn", .string, nullable: false), Field("service", .string, nullable: false),
      Field("started_at", .timestamp, nullable: false),
      Field("quantity", .decimal(precision: 18, scale: 3), nullable: false),
      Field("destination", .string, nullable: false), Field("country", .string, nullable: false),
      Field("roaming", .boolean, nullable: false), Field("international", .boolean, nullable: false),
      Field("cell_id", .string, nullable: false),
    ])
    let generator = UsageGenerator(settings, format: format)
    for block in 0..<Int64(2) { generator.generate(block: block) }
    let decoder = format.makeDecoder(schema: schema, materialize: Array(0..<11), epochSecondColumns: [])
    let reader = GeneratorSourceReader(settings, source: "usage", format: format)
    try reader.open()
    var rows = 0
    var failures = 0
    while case .chunk(let chunk, let prologue) = try reader.next(targetBytes: 1 << 20) {
      let decoded = try decoder.decode(chunk, prologue: prologue)
      rows += decoded.rows.count
      failures += decoded.failures.count
    }
    #expect(Int64(failures) == generator.counts.missing + generator.counts.corrupt)
    #expect(rows == 8000 - failures)
  }

  @Test func spikes_areOneAccountsVolumeManyTimesItsNorm() throws {
    let settings = spec(20_000) {
      $0.spikes = 0.01
      $0.recordsPerEventSecond = 5
      $0.start = 1_767_261_600_000
    }
    let generator = UsageGenerator(settings, format: .json)
    var counts: [Int64: [String: Int]] = [:]
    for line in try lines(settings) {
      counts[try #require(line.time) / UsageModel.spikeMilliseconds, default: [:]][line.account, default: 0] += 1
    }
    #expect(counts.count >= 4)
    for (quarter, accounts) in counts {
      let total = accounts.values.reduce(0, +)
      if total < 2000 { continue }
      let start = quarter * UsageModel.spikeMilliseconds
      let spiking = accountName(try #require(generator.spikeAccount(at: start)))
      #expect(generator.spikeAccount(at: start + UsageModel.spikeMilliseconds - 1).map(accountName) == spiking)
      #expect((0.006...0.02).contains(Double(accounts[spiking] ?? 0) / Double(total)))
      let norm = counts.filter { $0.key != quarter }.values.map { $0[spiking] ?? 0 }.max() ?? 0
      #expect((accounts[spiking] ?? 0) > 8 * norm)
    }
  }

  @Test func rareSpikes_areFewQuartersRatherThanSmall() {
    let generator = UsageGenerator(spec(nil) { $0.spikes = 0.001 }, format: .json)
    var spiking = 0
    for quarter in 0..<Int64(500) where generator.spikeAccount(at: 1_767_225_600_000 + quarter * 900_000) != nil {
      spiking += 1
    }
    #expect((99...101).contains(spiking))
    for block in 0..<Int64(40) { generator.generate(block: block) }
    #expect((40...400).contains(generator.counts.spikes))
  }

  // MARK: - Files

  @Test func csv_hasAHeaderAndTheSameRecords() throws {
    let settings = spec(3000)
    let reader = GeneratorSourceReader(settings, source: "usage", format: .csv(CSVOptions()))
    try reader.open()
    guard case .chunk(let chunk, let prologue) = try reader.next(targetBytes: 1 << 30) else {
      Issue.record("no chunk")
      return
    }
    #expect(
      String(decoding: prologue, as: UTF8.self).hasPrefix("record_id,account_id,msisdn,service,started_at,quantity,"))
    let rows = String(decoding: chunk.bytes, as: UTF8.self).split(separator: "\n")
    let names = String(decoding: prologue, as: UTF8.self).dropLast().split(separator: ",").map { String($0) }
    for (row, line) in zip(rows, try lines(settings)) {
      let cells = row.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
      #expect(Dictionary(zip(names, cells), uniquingKeysWith: { $1 }) == line.fields)
    }
    #expect(rows.count == 3000)
  }

  @Test func files_shareTheRecordsInOrder() throws {
    let scratch = Scratch()
    let settings = spec(10_007) { $0.corrupt = 0.01 }
    let counts = try writeGenerated(settings, to: "\(scratch.path)/many", format: .json, files: 7)
    #expect(counts.records == 10_007)
    let names = Scratch.names(in: "\(scratch.path)/many")
    #expect(names.first == "usage-00001.json" && names.count == 7)
    let parts = names.map { Scratch.readBytes("\(scratch.path)/many/\($0)") }
    #expect(parts.map { $0.count { $0 == 10 } } == [1430, 1430, 1430, 1430, 1429, 1429, 1429])
    #expect(Array(parts.joined()) == (try bytes(settings)))

    _ = try writeGenerated(settings, to: "\(scratch.path)/one/u.csv", format: .csv(CSVOptions()))
    let csv = Scratch.readBytes("\(scratch.path)/one/u.csv")
    #expect(csv.count { $0 == 10 } == 10_008)
    #expect(csv.starts(with: Array("record_id,".utf8)))
  }

  @Test func filesWithoutANumberOfRows_areRefused() {
    #expect(
      message { _ = try writeGenerated(spec(nil), to: "/tmp/x", format: .json) }.contains("give a number of rows"))
  }
}

private func accountName(_ number: UInt64) -> String {
  let digits = String(number)
  return "acc-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
}

@Suite struct PortableMathTests {
  @Test func functions_agreeWithTheirDefinitions() {
    for value in [0.001, 0.3, 1, 1.9999, 2, 10, 12345.678, 1e9] {
      #expect(abs(PortableMath.exponential(PortableMath.logarithm(value)) / value - 1) < 1e-13)
    }
    #expect(abs(PortableMath.logarithm(10) - 2.302585092994046) < 1e-15)
    #expect(abs(PortableMath.exponential(1) - 2.718281828459045) < 1e-15)
    #expect(abs(PortableMath.normalQuantile(0.975) - 1.959963985) < 1e-8)
    #expect(abs(PortableMath.normalQuantile(0.001) + 3.090232306) < 1e-8)
  }
}

@Suite struct RateLimiterTests {
  @Test func inTheLongRun_theRateIsExact() {
    var limiter = RateLimiter(rowsPerSecond: 1000, burstSeconds: 0)
    var now: Int64 = 0
    var rows = 0
    while now < 10_000_000_000 {
      let wait = limiter.waitNanoseconds(at: now)
      now += wait
      limiter.take(17, at: now)
      rows += 17
    }
    #expect((9_980...10_040).contains(rows))
  }

  @Test func burst_isBounded_andClockMayStandStill() {
    var limiter = RateLimiter(rowsPerSecond: 100, burstSeconds: 1)
    #expect(limiter.available(at: 0) == 100)
    limiter.take(100, at: 0)
    #expect(limiter.available(at: 0) == 0)
    #expect(limiter.waitNanoseconds(at: 0) == 10_000_000)
    #expect(limiter.available(at: 10_000_000) == 1)
    #expect(limiter.available(at: 3_600_000_000_000) == 100)
    #expect(limiter.available(at: 5) == 100)
  }
}

/// Laws of planted fraud.
@Suite struct PlantedFraudTests {
  private static func settings(_ rows: Int64) -> GeneratorSpec {
    spec(rows) {
      $0.fraudCasesPerDay = 12
      $0.accounts = 500
      $0.recordsPerEventSecond = 1
    }
  }

  @Test func everyCaseIsInTheRecords_withWhatMakesItOne() throws {
    let settings = Self.settings(50_000)
    let cases = plantedFrauds(settings)
    #expect(cases.count >= 5 && Set(cases.map(\.kind)) == Set(FraudCase.Kind.allCases))
    let all = try lines(settings)
    for fraud in cases {
      let own = all.filter { line in
        line.fields["msisdn"] == "+\(fraud.msisdn)"
          && line.time.map { $0 >= fraud.start - 1_000 && $0 < fraud.end } ?? false
      }
      let calls = own.filter { $0.fields["service"] == "voice" }
      switch fraud.kind {
      case .volumeSpike: #expect(own.reduce(0) { $0 + $1.thousandths } > 4_000_000, "\(fraud)")
      case .premiumBurst, .internationalBurst: #expect(calls.count > 25, "\(fraud): \(calls.count)")
      case .impossibleTravel: #expect(Set(own.compactMap { $0.fields["country"] }).count == 2, "\(fraud)")
      case .simBox: #expect(Set(calls.compactMap { $0.fields["destination"] }).count > 120, "\(fraud)")
      }
    }
  }

  @Test func withoutFraudsTheBytesAreTheSame_andWithThemTheyDependOnTheSeedAlone() throws {
    let plain = spec(6_000)
    #expect(plantedFrauds(plain).isEmpty)
    #expect(try bytes(Self.settings(20_000)) == bytes(Self.settings(20_000)))
    #expect(
      try bytes(Self.settings(20_000))
        != bytes(
          spec(20_000) {
            $0.accounts = 500; $0.recordsPerEventSecond = 1
          }))
  }

  @Test func theTruthIsWrittenAsLines() throws {
    let scratch = Scratch()
    let settings = Self.settings(30_000)
    try writeTruth(of: settings, to: "\(scratch.path)/deep/truth.json", place: "truth")
    let written = Scratch.read("\(scratch.path)/deep/truth.json").split(separator: "\n").map(String.init)
    #expect(written == plantedFrauds(settings).map(\.text) && !written.isEmpty)
    #expect(written[0].hasPrefix("{\"kind\":\"") && written[0].contains("\"account_id\":\"acc-"))
  }
}
