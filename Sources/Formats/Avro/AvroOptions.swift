/// What a topology says of `format: avro`.
package struct AvroOptions: Hashable, Sendable {
  /// The schema that records are read by, beside the columns: for its defaults and aliases.
  package var readerSchema: AvroSchema?
  /// How blocks of files are written.
  package var codec = AvroCodec.null
  /// The full name of the record that is written.
  package var recordName = AvroOptions.defaultRecordName
  /// Where the schemas of messages are.
  package var registry: RegistryOptions?
  /// What the schema of messages is registered under; nil for the topic's.
  package var subject: String?
  /// Whether a schema that the registry does not know under the subject is registered, rather than refused.
  package var registers = true

  package static let defaultRecordName = "Row"

  package init() {}
}

/// Where a schema registry is, and who asks. Holds no secret.
package struct RegistryOptions: Hashable, Sendable {
  /// `http://registry:8081`, without user and password.
  package var url: String
  /// User and password stand in the environment as `<name>_USER` and `<name>_PASSWORD`; without the first there is neither.
  package var credentialsName = RegistryOptions.defaultCredentialsName

  package static let defaultCredentialsName = "WEIR_REGISTRY"

  package init(url: String) { self.url = url }
}
