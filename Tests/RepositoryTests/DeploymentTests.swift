import Foundation
import Testing
import Yams

/// `docker-compose.yml` and what it mounts, read as Docker and the services would; nothing is started.
struct DeploymentTests {
  private static func text(_ path: String) throws -> String {
    try String(contentsOf: StyleTests.root.appendingPathComponent(path), encoding: .utf8)
  }

  private static func mapping(_ path: String) throws -> [String: Any] {
    try #require(try Yams.load(yaml: text(path)) as? [String: Any], "\(path) is no mapping")
  }

  private static func services() throws -> [String: [String: Any]] {
    try #require(try mapping("docker-compose.yml")["services"] as? [String: [String: Any]])
  }

  @Test func theServicesOfADeployment_areAllThere() throws {
    let services = try DeploymentTests.services()
    #expect(Set(services.keys) == ["kafka", "registry", "postgres", "weir", "prometheus", "grafana"])
    for (name, service) in services {
      let image = service["image"] as? String
      #expect(image != nil, "\(name) has no image")
      if service["build"] == nil { #expect(image?.contains(":") == true, "\(name)'s image has no version") }
    }
  }

  @Test func whatWaitsForAService_waitsForOneThatSaysWhetherItIsWell() throws {
    let services = try DeploymentTests.services()
    for (name, service) in services {
      let conditions = service["depends_on"] as? [String: [String: String]] ?? [:]
      let plain = service["depends_on"] as? [String] ?? []
      for other in Array(conditions.keys) + plain { #expect(services[other] != nil, "\(name) waits for \(other)") }
      for (other, condition) in conditions where condition["condition"] == "service_healthy" {
        #expect(services[other]?["healthcheck"] != nil, "\(other) has no health check for \(name)")
      }
    }
  }

  @Test func portsAreOnLoopbackAndNoneTwice() throws {
    let ports = try DeploymentTests.services().values.flatMap { $0["ports"] as? [String] ?? [] }
    #expect(ports.count >= 5)
    #expect(ports.allSatisfy { $0.hasPrefix("127.0.0.1:") })
    #expect(Set(ports.map { $0.split(separator: ":")[1] }).count == ports.count)
  }

  @Test func whatIsMounted_isThere() throws {
    let compose = try DeploymentTests.mapping("docker-compose.yml")
    let named = Set((compose["volumes"] as? [String: Any] ?? [:]).keys)
    var used: Set<String> = []
    for (name, service) in try DeploymentTests.services() {
      for volume in service["volumes"] as? [String] ?? [] {
        let source = String(volume.split(separator: ":")[0])
        if source.hasPrefix("./") {
          let path = StyleTests.root.appendingPathComponent(String(source.dropFirst(2))).path
          #expect(FileManager.default.fileExists(atPath: path), "\(name) mounts \(source)")
        } else {
          used.insert(source)
        }
      }
    }
    #expect(used == named)
  }

  @Test func kafkaIsItsOwnController_andLetsTransactionsOutliveACheckpoint() throws {
    let kafka = try #require(try DeploymentTests.services()["kafka"]?["environment"] as? [String: String])
    #expect(kafka["KAFKA_PROCESS_ROLES"] == "broker,controller")
    #expect((kafka["KAFKA_TRANSACTION_MAX_TIMEOUT_MS"].flatMap { Int($0) } ?? 0) >= 15 * 60 * 1000)
  }

  @Test func theRunnerAsksForTokens_andPrometheusHasOne() throws {
    let services = try DeploymentTests.services()
    let command = try #require(services["weir"]?["command"] as? [String])
    #expect(command.first == "runner" && command.contains("--token-keys") && !command.contains("--insecure-no-auth"))
    let prometheus = try DeploymentTests.mapping("deploy/prometheus/prometheus.yml")
    let jobs = try #require(prometheus["scrape_configs"] as? [[String: Any]])
    let job = try #require(jobs.first { $0["job_name"] as? String == "weir" })
    let file = try #require((job["authorization"] as? [String: String])?["credentials_file"])
    for name in ["weir", "prometheus"] {
      let volumes = services[name]?["volumes"] as? [String] ?? []
      #expect(volumes.contains("./deploy/keys:/etc/weir:ro"), "\(name)")
    }
    #expect(file.hasPrefix("/etc/weir/"))
    let readme = try DeploymentTests.text("deploy/keys/README.md")
    #expect(readme.contains("deploy/keys" + file.dropFirst("/etc/weir".count)))
  }

  @Test func whatPrometheusAndGrafanaRead_areServices() throws {
    let services = try DeploymentTests.services()
    let prometheus = try DeploymentTests.mapping("deploy/prometheus/prometheus.yml")
    let jobs = try #require(prometheus["scrape_configs"] as? [[String: Any]])
    let targets = jobs.flatMap { job in
      (job["static_configs"] as? [[String: Any]] ?? []).flatMap { $0["targets"] as? [String] ?? [] }
    }
    #expect(targets.contains { $0.hasPrefix("weir:") })
    for target in targets where !target.hasPrefix("localhost:") {
      #expect(services[String(target.split(separator: ":")[0])] != nil, "there is no service \(target)")
    }
    let file = "deploy/grafana/provisioning/datasources/prometheus.yml"
    let sources = try #require(try DeploymentTests.mapping(file)["datasources"] as? [[String: Any]])
    #expect(sources.map { $0["url"] as? String } == ["http://prometheus:9090"])
    let providers = try #require(
      try DeploymentTests.mapping("deploy/grafana/provisioning/dashboards/weir.yml")["providers"] as? [[String: Any]])
    let grafana = try #require(services["grafana"]?["volumes"] as? [String])
    let path = try #require((providers.first?["options"] as? [String: String])?["path"])
    #expect(grafana.contains { $0.contains(":\(path):") })
  }

  /// `promtool` is in Debian's package `prometheus`.
  @Test func theAlerts_sayWhatTheirTestsExpect() throws {
    let folder = StyleTests.root.appendingPathComponent("deploy/prometheus").path
    for arguments in [["check", "rules", folder + "/rules.yml"], ["test", "rules", folder + "/rules_test.yml"]] {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["promtool"] + arguments
      let output = Pipe()
      (process.standardOutput, process.standardError) = (output, output)
      try process.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationStatus == 0, "\(text)")
    }
    let files = try #require(try DeploymentTests.mapping("deploy/prometheus/prometheus.yml")["rule_files"] as? [String])
    #expect(files == ["rules.yml"])
  }

  /// Rules and dashboard read only what the runner gives.
  @Test func everyMetricThatIsRead_isOneThatTheRunnerGives() throws {
    let source = try DeploymentTests.text("Sources/Service/API/MetricsText.swift")
    let given = Set(source.matches(of: /"(weir_[a-z_]+)"/).map { String($0.output.1) })
    #expect(given.count > 15)
    for file in ["deploy/prometheus/rules.yml", "deploy/grafana/dashboards/weir.json"] {
      let read = Set(
        try DeploymentTests.text(file).matches(of: /weir_[a-z_]+/).map {
          String($0.output).replacing(/_bucket$/, with: "")
        })
      #expect(read.count > 5 && read.isSubset(of: given), "\(file): \(read.subtracting(given).sorted())")
    }
    let dashboard = try JSONSerialization.jsonObject(
      with: Data(DeploymentTests.text("deploy/grafana/dashboards/weir.json").utf8))
    let panels = try #require((dashboard as? [String: Any])?["panels"] as? [[String: Any]])
    #expect(Set(panels.compactMap { $0["id"] as? Int }).count == panels.count)
  }

  /// The image is built of what `scripts/setup` installs.
  @Test func theImageHasThePackagesOfSetup() throws {
    let setup = try DeploymentTests.text("scripts/setup")
    let list = try #require(setup.firstMatch(of: /packages=\(([^)]*)\)/)?.1)
    let packages = list.split(whereSeparator: \.isWhitespace).map(String.init)
    #expect(packages.count > 8)
    let docker = try DeploymentTests.text("Dockerfile")
    for package in packages where package.hasPrefix("lib") || package.hasPrefix("zlib") {
      #expect(docker.contains(package), "the Dockerfile does not install \(package)")
    }
    #expect(docker.contains("ENTRYPOINT [\"weir\"]"))
  }
}
