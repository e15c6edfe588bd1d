import Testing

/// Whole runners, one after another: each has jobs and a server of its own.
@Suite(.serialized) enum ServiceTests {}
