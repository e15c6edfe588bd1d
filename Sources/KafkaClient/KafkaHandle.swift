import CRdKafka
import Glibc
import Synchronization

/// An owned librdkafka client. It ends with its last reference, without waiting for what it has not sent; a consumer ends on a
/// thread of its own, since librdkafka 2.0 never ends one that had a partition whose topic was deleted.
///
/// Callbacks reach a `KafkaNotices` of this client's own by the pointer that librdkafka hands through; there is no registry.
/// librdkafka calls them only from `poll`, `flush` and other calls that say so, on the caller's thread.
///
/// Invariant for `Sendable`: the native client is thread-safe, is made in `init` and destroyed in `deinit`; `notices` is
/// thread-safe by itself.
package final class KafkaHandle: @unchecked Sendable {
  let native: OpaquePointer
  package let notices: KafkaNotices
  let bootstrap: String
  private let type: rd_kafka_type_t

  init(_ type: rd_kafka_type_t, _ conf: OpaquePointer?, bootstrap: String) throws(KafkaError) {
    self.bootstrap = bootstrap
    self.type = type
    let notices = KafkaNotices()
    self.notices = notices
    rd_kafka_conf_set_opaque(conf, Unmanaged.passUnretained(notices).toOpaque())
    rd_kafka_conf_set_log_cb(conf, nil)
    rd_kafka_conf_set_error_cb(conf) { client, code, reason, opaque in
      guard let opaque else { return }
      Unmanaged<KafkaNotices>.fromOpaque(opaque).takeUnretainedValue().note(
        rd_kafka_resp_err_t(rawValue: code), reason, client)
    }
    if type == RD_KAFKA_PRODUCER {
      rd_kafka_conf_set_dr_msg_cb(conf) { _, message, opaque in
        guard let opaque, let message else { return }
        Unmanaged<KafkaNotices>.fromOpaque(opaque).takeUnretainedValue().noteDelivery(message.pointee)
      }
    }
    var message = [CChar](repeating: 0, count: 512)
    guard let made = rd_kafka_new(type, conf, &message, message.count) else {
      rd_kafka_conf_destroy(conf)
      let text = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      throw KafkaError(name: "_INVALID_ARG", remedy: .correct, description: text)
    }
    native = made
  }

  deinit {
    guard type == RD_KAFKA_CONSUMER else { return rd_kafka_destroy(native) }
    var thread = pthread_t()
    // Callbacks may still come while the client ends.
    let ending = Unmanaged.passRetained(Ending(native: native, notices: notices))
    let status = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let ending = Unmanaged<Ending>.fromOpaque(argument).takeRetainedValue()
        withExtendedLifetime(ending) {
          rd_kafka_destroy_flags(ending.native, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
        }
        return nil
      }, ending.toOpaque())
    if status == 0 { pthread_detach(thread) } else { ending.release() }
  }

  /// What a client needs until it has ended.
  private final class Ending {
    let native: OpaquePointer
    let notices: KafkaNotices
    init(native: OpaquePointer, notices: KafkaNotices) {
      self.native = native
      self.notices = notices
    }
  }

  /// Lets callbacks be called, and waits at most `milliseconds` for a reason to.
  package func poll(milliseconds: Int32) { rd_kafka_poll(native, milliseconds) }

  /// Repeats a question to the brokers while its answer is an error that may pass, for `timeoutMilliseconds` in all. Only for
  /// questions: what changes something may have happened although its answer was an error.
  func asking<Answer>(
    timeoutMilliseconds: Int32, _ question: (Int32) throws(KafkaError) -> Answer
  ) throws(KafkaError) -> Answer {
    let deadline = KafkaHandle.now() + Int64(timeoutMilliseconds)
    while true {
      let rest = max(deadline - KafkaHandle.now(), 1)
      do throws(KafkaError) { return try question(Int32(clamping: rest)) } catch {
        guard error.isRetriable, KafkaHandle.now() < deadline else { throw explained(error) }
        poll(milliseconds: KafkaHandle.pauseMilliseconds)
      }
    }
  }

  /// How long to wait before a question is repeated.
  private static let pauseMilliseconds: Int32 = 50

  /// Monotonic ms.
  private static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }

  /// `error`, with what the client last heard of its brokers where it is only a timeout: that is the cause.
  func explained(_ error: KafkaError) -> KafkaError {
    poll(milliseconds: 0)
    guard error.remedy == .retry, let cause = notices.connectionTrouble else { return error }
    return KafkaError(name: error.name, remedy: .retry, description: "\(error.description) (\(cause))")
  }
}

/// What a client has reported beside the answers to its calls.
package final class KafkaNotices: Sendable {
  private struct State {
    var connectionTrouble: String?
    var deliveryFailure: KafkaError?
    var fatal: KafkaError?
  }
  private let state = Mutex(State())

  /// Why a broker could not be reached, when last one could not.
  package var connectionTrouble: String? { state.withLock { $0.connectionTrouble } }
  /// The first record that was not delivered, since `takeDeliveryFailure`.
  package var deliveryFailure: KafkaError? { state.withLock { $0.deliveryFailure } }
  /// Why the client cannot be used any more.
  package var fatal: KafkaError? { state.withLock { $0.fatal } }

  package func takeDeliveryFailure() -> KafkaError? {
    state.withLock { state in
      defer { state.deliveryFailure = nil }
      return state.deliveryFailure
    }
  }

  func note(_ code: rd_kafka_resp_err_t, _ reason: UnsafePointer<CChar>?, _ client: OpaquePointer?) {
    let text = reason.map { String(cString: $0) } ?? ""
    if code == RD_KAFKA_RESP_ERR__FATAL {
      var message = [CChar](repeating: 0, count: 512)
      let cause = rd_kafka_fatal_error(client, &message, message.count)
      let error = KafkaError(cause, text)
      state.withLock { if $0.fatal == nil { $0.fatal = error } }
    } else if code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN {
      state.withLock { $0.connectionTrouble = text }
    }
  }

  func noteDelivery(_ message: rd_kafka_message_t) {
    guard message.err != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
    let topic = message.rkt.map { String(cString: rd_kafka_topic_name($0)) } ?? "?"
    let error = KafkaError(message.err, "a record for topic \(topic) was not delivered")
    state.withLock { if $0.deliveryFailure == nil { $0.deliveryFailure = error } }
  }
}
