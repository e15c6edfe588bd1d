import KafkaClient
import Testing

struct ConfigurationTests {
  @Test(arguments: [
    "sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem", "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
  ])
  func aSecretIsNeverShown(_ property: String) throws {
    #expect(KafkaConfiguration.isSecret(property))
    let configuration = KafkaConfiguration(bootstrap: "localhost:9092", properties: [property: "hunter2"])
    #expect(!"\(configuration)".contains("hunter2"))
    #expect("\(configuration)".contains(property))
  }

  @Test func aRefusedSecretIsNotRepeated() throws {
    let error = #expect(throws: KafkaError.self) {
      _ = try KafkaConsumer(
        KafkaConfiguration(
          bootstrap: "localhost:9092",
          properties: ["security.protocol": "ssl", "ssl.key.pem": "hunter2", "ssl.certificate.pem": "hunter3"]),
        group: "job")
    }
    #expect(error?.description.contains("hunter2") == false, "\(String(describing: error))")
  }

  @Test func anUnknownPropertyIsRefused_aKnownOneIsNot() {
    #expect(KafkaConfiguration.refusal(of: "linger.ms", "20") == nil)
    #expect(KafkaConfiguration.refusal(of: "linger.milliseconds", "20")?.contains("no such property") == true)
    #expect(KafkaConfiguration.refusal(of: "linger.ms", "soon") != nil)
    #expect(KafkaConfiguration.refusal(of: "compression.type", "lz4") == nil)
  }

  @Test(arguments: ["enable.auto.commit", "transactional.id", "enable.idempotence", "isolation.level", "acks"])
  func whatExactlyOnceRestsOn_cannotBeSet(_ property: String) {
    #expect(KafkaConfiguration.reservation(of: property) != nil)
  }

  @Test func aPartitionsNameReadsBack() {
    let place = TopicPartition(topic: "usage-eu-west", partition: 17)
    #expect(TopicPartition("\(place)") == place)
    #expect(TopicPartition("usage") == nil)
  }
}
