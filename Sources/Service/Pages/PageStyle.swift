/// How the pages look: by the reader's own light or dark setting, from phone width up.
enum PageStyle {
  static let text = """
    :root { color-scheme: light dark; --line: #8886; --accent: #0b6bcb; --bad: #c62828; --good: #2e7d32; --soft: #8882; }
    * { box-sizing: border-box; }
    body { font: 16px/1.5 system-ui, sans-serif; margin: 0; }
    header { display: flex; gap: 1rem; align-items: center; padding: .5rem 1rem; border-bottom: 1px solid var(--line); }
    header .name { font-weight: 700; text-decoration: none; color: inherit; }
    header button { margin-left: auto; }
    main { padding: 0 1rem 3rem; max-width: 75rem; margin: auto; }
    h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
    a { color: var(--accent); }
    .skip { position: absolute; left: -99rem; } .skip:focus { left: 1rem; top: .5rem; background: Canvas; padding: .5rem; }
    :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
    .wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
    th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
    td:last-child:not(.number) { white-space: normal; min-width: 16rem; }
    td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
    button { font: inherit; padding: .35rem .9rem; border: 1px solid var(--line); border-radius: .4rem; cursor: pointer;
      background: var(--soft); color: inherit; min-height: 2.5rem; }
    input { font: inherit; padding: .4rem; width: 100%; max-width: 30rem; display: block; margin: .3rem 0; }
    .state { padding: .1rem .6rem; border-radius: 1rem; background: var(--soft); }
    .state.running, .state.done { background: var(--good); color: #fff; }
    .state.failed, .state.quarantined, .state.restarting { background: var(--bad); color: #fff; }
    .sentence { font-size: 1.15rem; border-left: 4px solid var(--accent); padding: .3rem .8rem; margin: 1rem 0; }
    .sentence:empty { display: none; }
    .actions { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0; }
    svg.graph { min-width: 40rem; width: 100%; height: auto; } svg text { fill: currentColor; font-size: 13px; }
    svg .title { font-weight: 700; } svg rect { fill: Canvas; stroke: var(--line); } svg rect.hot { stroke: var(--bad); stroke-width: 3; }
    svg path { fill: none; stroke: var(--line); stroke-width: 2; } svg rect.bar { fill: var(--accent); stroke: none; }
    svg.control { min-width: 36rem; width: 100%; height: auto; } svg.control circle { fill: var(--accent); }
    svg.control circle.out { fill: var(--bad); } svg.control path.share { stroke: var(--accent); }
    svg.control path.limit { stroke-dasharray: 6 4; }
    .cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 1rem; margin-bottom: 1rem; }
    .card { border: 1px solid var(--line); border-radius: .6rem; padding: .8rem; } .card b { font-size: 1.5rem; display: block; }
    .fresh { animation: fresh 2s; } @keyframes fresh { from { background: color-mix(in srgb, var(--accent) 30%, transparent); } }
    @media (prefers-reduced-motion: reduce) { .fresh { animation: none; } }
    @media (max-width: 40rem) {
      table.stack thead { display: none; } table.stack tr { display: block; border-bottom: 2px solid var(--line); padding: .4rem 0; }
      table.stack td, table.stack td.number { display: flex; justify-content: space-between; gap: 1rem; border: 0;
        padding: .15rem 0; white-space: normal; overflow-wrap: anywhere; text-align: right; min-width: 0; }
      table.stack td::before { content: attr(data-label); opacity: .7; text-align: left; flex: none; }
    }

    """
}
