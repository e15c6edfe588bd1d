import Topology

/// The runner's pages: each is a frame that the server gives out, without data; a small script fills it from the HTTP interface with the
/// reader's own token, so that a page shows nobody more than the interface would.
extension API {
  var pageEndpoints: [Endpoint] {
    [
      page("/", "topologies", "Topologies"),
      page("/topologies/{topology}", "topology", "Topology"),
      page("/topologies/{topology}/views/{view}", "view", "View"),
      page("/topologies/{topology}/quality/{view}", "quality", "Data quality"),
      page("/portal/{topology}/{view}", "portal", "Your usage"),
      file("/ui/weir.css", "text/css", PageStyle.text), file("/ui/weir.js", "text/javascript", PageScript.text),
      file("/ui/graph.js", "text/javascript", GraphScript.text),
      file("/ui/quality.js", "text/javascript", QualityScript.text),
    ]
  }

  private func page(_ path: String, _ name: String, _ title: String) -> Endpoint {
    Endpoint(
      method: "GET", path: path, summary: title, roles: [], isDocumented: false, answer: "Text",
      answerType: "text/html",
      handle: { _ in .bytes(Array(PageFrame.html(name, title).utf8), type: "text/html; charset=utf-8") })
  }

  private func file(_ path: String, _ type: String, _ text: String) -> Endpoint {
    Endpoint(
      method: "GET", path: path, summary: path, roles: [], isDocumented: false, answer: "Text", answerType: type,
      handle: { _ in .bytes(Array(text.utf8), type: "\(type); charset=utf-8") })
  }
}

/// The frame of a page.
enum PageFrame {
  /// `name` says to the script what to show; what it is of stands in the address.
  static func html(_ name: String, _ title: String) -> String {
    let navigation = name == "portal" ? "" : #"<nav aria-label="Pages"><a href="/">Topologies</a></nav>"#
    return """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(title) · Weir</title>
      <link rel="icon" href="data:,">
      <link rel="stylesheet" href="/ui/weir.css">
      <script src="/ui/graph.js" defer></script>
      <script src="/ui/quality.js" defer></script>
      <script src="/ui/weir.js" defer></script>
      </head>
      <body data-page="\(name)">
      <a class="skip" href="#main">To the content</a>
      <header><a class="name" href="/">Weir</a>\(navigation)<button id="leave" hidden>Sign out</button></header>
      <main id="main" tabindex="-1"><h1>\(title)</h1><p id="notice" role="status">Loading…</p>
      <form id="enter" hidden><label for="token">Bearer token</label>
      <input id="token" type="password" autocomplete="off" required><button>Sign in</button></form>
      <div id="content"></div></main>
      <noscript><p>These pages need JavaScript; the same is at /v1/openapi.json.</p></noscript>
      </body>
      </html>

      """
  }
}
