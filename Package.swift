// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
]

/// A library module of the engine. `DESIGN` order: a module may depend only on those declared above it.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// `WEIR_PARTS=engine` leaves out the front ends with what only they need (the web stack is most of a build), and the tests that
/// `scripts/nightly` does not run under sanitizers.
let isEngineOnly = Context.environment["WEIR_PARTS"] == "engine"

let enginePackages: [Package.Dependency] = [.package(url: "https://github.com/jpsim/Yams", from: "6.2.2")]

let frontEndPackages: [Package.Dependency] = [
  .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
  .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
  .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
  .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
  .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
  .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
  .package(url: "https://github.com/apple/swift-crypto", "3.12.3"..<"5.0.0"),
]

let engine: [Target] = [
  .target(
    name: "CSimdJSON",
    cxxSettings: [.unsafeFlags(["-O3", "-std=c++17", "-fno-rtti"])],
    linkerSettings: [.linkedLibrary("simdjson")]),
  .systemLibrary(name: "CCompression"),
  .systemLibrary(name: "CRdKafka"),
  .systemLibrary(name: "CCurl"),
  .systemLibrary(name: "CGlibc"),
  module("StreamModel"),
  module("Expressions", ["StreamModel"]),
  module("KafkaClient", ["CRdKafka"]),
  module("HTTPClient", ["CCurl", "StreamModel"]),
  module("Formats", ["CSimdJSON", "CCompression", "HTTPClient", "StreamModel"]),
  .systemLibrary(name: "CRocksDB"),
  .systemLibrary(name: "CPostgres"),
  module("RocksStore", ["CRocksDB", "StreamModel"]),
  module("PostgresClient", ["CPostgres"]),
  module("State", ["StreamModel", "RocksStore"]),
  module("Operators", ["StreamModel", "Expressions", "State"]),
  module("Views", ["StreamModel", "Formats", "State", "Operators"]),
  module("Checkpoint", ["StreamModel", "State"]),
  module(
    "Connectors",
    ["StreamModel", "Expressions", "HTTPClient", "PostgresClient", "KafkaClient", "Formats", "Operators"]),
  module(
    "Topology",
    [
      "StreamModel", "Expressions", "KafkaClient", "Formats", "Operators", "Connectors",
      .product(name: "Yams", package: "Yams"),
    ]),
  module(
    "Runtime",
    [
      "StreamModel", "Expressions", "KafkaClient", "Formats", "State", "Operators", "Views", "Checkpoint",
      "Connectors",
      "Topology",
    ]),
  module("TestSupport", ["StreamModel", "Expressions", "State", "Operators"]),
  tests("StateTests", ["State", "RocksStore", "StreamModel", "TestSupport"]),
  tests("ViewsTests", ["Views", "State", "Operators", "Formats", "StreamModel", "TestSupport"]),
  tests("CheckpointTests", ["Checkpoint", "State", "StreamModel"]),
  tests(
    "RuntimeTests",
    [
      "Runtime", "Topology", "Expressions", "Operators", "Connectors", "Checkpoint", "Views", "StreamModel",
      "TestSupport",
    ]),
]

let engineTests: [Target] = [
  tests("StreamModelTests", ["StreamModel"]),
  tests("ExpressionsTests", ["Expressions", "StreamModel"]),
  tests("KafkaClientTests", ["KafkaClient"]),
  tests("HTTPClientTests", ["HTTPClient", "TestSupport"]),
  .target(name: "RegistryDouble", path: "Tests/RegistryDouble", swiftSettings: strict),
  tests("FormatsTests", ["Formats", "StreamModel", "RegistryDouble"]),
  .target(name: "RatingModel", path: "Tests/RatingModel", swiftSettings: strict),
  tests("OperatorsTests", ["Operators", "Expressions", "State", "StreamModel", "TestSupport", "RatingModel"]),
  tests(
    "ConnectorsTests",
    [
      "Connectors", "Expressions", "Formats", "KafkaClient", "Operators", "PostgresClient", "StreamModel",
      "TestSupport",
    ]),
  tests("TopologyTests", ["Topology", "Formats", "Operators", "Connectors", "StreamModel"]),
  tests("RepositoryTests", [.product(name: "Yams", package: "Yams")]),
]

let frontEnds: [Target] = [
  module(
    "Service",
    [
      "StreamModel", "HTTPClient", "Formats", "Operators", "Views", "Checkpoint", "Connectors", "Topology", "Runtime",
      .product(name: "Crypto", package: "swift-crypto"), .product(name: "HTTPTypes", package: "swift-http-types"),
      .product(name: "Hummingbird", package: "hummingbird"),
      .product(name: "HummingbirdCore", package: "hummingbird"),
      .product(name: "HummingbirdTLS", package: "hummingbird"), .product(name: "JWTKit", package: "jwt-kit"),
      .product(name: "Logging", package: "swift-log"), .product(name: "NIOCore", package: "swift-nio"),
      .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
      .product(name: "NIOSSL", package: "swift-nio-ssl"),
      .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
    ]),
  .executableTarget(
    name: "weir",
    dependencies: [
      "CGlibc", "StreamModel", "Formats", "Operators", "Checkpoint", "Connectors", "Topology", "Runtime", "Service",
      .product(name: "Logging", package: "swift-log"),
      .product(name: "ArgumentParser", package: "swift-argument-parser"),
    ], swiftSettings: strict),
  .executableTarget(name: "weir-bench", dependencies: ["KafkaClient", "Formats"], swiftSettings: strict),
  .target(name: "EndToEndSupport", path: "Tests/EndToEndSupport", swiftSettings: strict),
  tests(
    "ServiceTests",
    [
      "Service", "Views", "Topology", "Runtime", "StreamModel", "TestSupport", "EndToEndSupport",
      .product(name: "Crypto", package: "swift-crypto"),
      .product(name: "JWTKit", package: "jwt-kit"), .product(name: "Logging", package: "swift-log"),
    ]),
  tests("EndToEndTests", ["RatingModel", "TestSupport", "EndToEndSupport"]),
  tests("KafkaEndToEndTests", ["KafkaClient", "RegistryDouble", "EndToEndSupport"]),
]

let package = Package(
  name: "weir",
  products: isEngineOnly ? [] : [.executable(name: "weir", targets: ["weir"])],
  dependencies: isEngineOnly ? enginePackages : enginePackages + frontEndPackages,
  targets: isEngineOnly ? engine : engine + engineTests + frontEnds,
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)
