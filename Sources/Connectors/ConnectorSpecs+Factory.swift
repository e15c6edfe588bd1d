import Formats
import StreamModel

extension SourceConnector {
  /// A reader of this source; `open` it first.
  /// - Parameters:
  ///   - name: The source's name in the topology.
  ///   - job: The topology's name.
  package func makeReader(name: String, job: String, format: Format) -> any SourceReader {
    switch self {
    case .file(let spec): FileSourceReader(spec, source: name, format: format)
    case .generator(let spec): GeneratorSourceReader(spec, source: name, format: format)
    case .kafka(let spec): KafkaSourceReader(spec, source: name, job: job, format: format)
    }
  }
}

extension SinkConnector {
  /// A writer of this sink for one subtask; `open` it first.
  /// - Parameters:
  ///   - name: The sink's name in the topology, or `dead_letters`.
  ///   - job: The job's name: pending output that a dead run of it left behind is known by it.
  ///   - transactions: The job's Kafka transactions, where it has some.
  package func makeWriter(
    name: String, job: String, schema: Schema, subtask: Int, transactions: KafkaTransactions? = nil
  ) -> any SinkWriter {
    let place = SinkConnector.place(name)
    switch self {
    case .file(let path, let format):
      return FileSinkWriter(
        path: path, encoder: format.makeEncoder(), suffix: SinkConnector.suffix(format), schema: schema, place: place,
        owner: SinkConnector.owner(job, name), subtask: subtask)
    case .kafka(let spec):
      return KafkaSinkWriter(spec, schema: schema, place: place, job: job, transactions: transactions)
    case .console: return ConsoleSinkWriter(encoder: Format.json.makeEncoder(), schema: schema, place: place)
    case .blackhole: return BlackholeSinkWriter()
    }
  }

  /// Commits what a manifest says was prepared, whichever subtasks and run prepared it.
  package func commit(_ parts: [PendingPart], name: String) throws(ConnectorError) {
    if case .file = self { try FileSinkWriter.commit(parts, place: SinkConnector.place(name)) }
  }

  /// Removes what runs of the job that died left pending. After `commit` of the restored checkpoint's parts, before any
  /// writer of this sink is made.
  package func discardLeftovers(name: String, job: String) throws(ConnectorError) {
    guard case .file(let path, _) = self else { return }
    try FileSinkWriter.discardLeftovers(
      in: path, owner: SinkConnector.owner(job, name), place: SinkConnector.place(name))
  }

  private static func place(_ name: String) -> String { name == "dead_letters" ? name : "sinks.\(name)" }

  private static func owner(_ job: String, _ name: String) -> String { "\(job).\(name)." }

  static func suffix(_ format: Format) -> String {
    switch format {
    case .json: "json"
    case .csv: "csv"
    case .raw: "raw"
    case .avro: "avro"
    case .debeziumJSON: "json"
    }
  }
}
