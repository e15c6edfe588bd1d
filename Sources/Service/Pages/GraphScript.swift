/// Draws a topology as a graph with what each part does, and says in one sentence what is slow and why.
enum GraphScript {
  static let text = #"""
    'use strict';
    const Graph = (() => {
      const wide = 190, high = 92, gapX = 60, gapY = 22;
      const svg = (tag, attributes, ...children) => {
        const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
        for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
        element.append(...children);
        return element;
      };
      const producer = reference => reference.split('.')[0];

      // Sources, steps, sinks and views in layers: each to the right of all it reads.
      function layout(plan) {
        const nodes = new Map();
        for (const source of plan.sources) nodes.set(source.name, {kind: 'source', name: source.name, from: [], layer: 0});
        for (const step of plan.steps) {
          const from = [...step.from, ...(step.with || [])].map(producer);
          const layer = 1 + Math.max(0, ...from.map(name => nodes.has(name) ? nodes.get(name).layer : 0));
          nodes.set(step.name, {kind: step.operation, name: step.name, from, layer});
        }
        const ends = [...plan.sinks.map(s => ({kind: 'sink', name: s.name, from: s.from.map(producer)})),
          ...plan.views.map(v => ({kind: 'view', name: v.name, from: [producer(v.from)]}))];
        const last = 1 + Math.max(0, ...[...nodes.values()].map(n => n.layer));
        const all = [...nodes.values(), ...ends.map(end => Object.assign(end, {layer: last}))];
        const filled = [];
        for (const node of all) {
          filled[node.layer] = (filled[node.layer] || 0);
          node.x = node.layer * (wide + gapX) + 10;
          node.y = filled[node.layer]++ * (high + gapY) + 10;
        }
        return {all, nodes, width: (last + 1) * (wide + gapX), height: Math.max(...filled.filter(Boolean)) * (high + gapY) + 20};
      }

      const rate = value => value >= 1e6 ? (value / 1e6).toFixed(1) + ' M/s' : value >= 1e3 ? (value / 1e3).toFixed(1) + ' k/s'
        : value.toFixed(value < 10 && value > 0 ? 1 : 0) + '/s';

      function draw(now, before) {
        const {all, nodes, width, height} = layout(now.plan);
        const seconds = before ? Math.max(0.2, (now.seen - before.seen) / 1000) : 0;
        const counts = (status, node) => (status && status.nodes || []).find(c => c.name === node.name
          && (c.kind === node.kind || !['source', 'sink', 'view'].includes(c.kind) && !['source', 'sink', 'view'].includes(node.kind)));
        const stage = (status, name) => (status && status.stages || []).find(s => s.name === name);
        const pressure = name => {
          const a = stage(before, name), b = stage(now, name);
          return a && b && seconds ? Math.min(1, Math.max(0, (b.blocked_others_ms - a.blocked_others_ms) / 1000 / seconds)) : 0;
        };
        const state = now.checkpoint.last ? now.checkpoint.last.state_bytes_by_step : {};
        const drawing = svg('svg', {class: 'graph', viewBox: `0 0 ${width} ${height}`, role: 'img',
          'aria-label': 'What rows go through: ' + all.map(n => n.kind + ' ' + n.name).join(', ')});
        for (const node of all) for (const name of node.from) {
          const from = nodes.get(name);
          if (!from) continue;
          const x = from.x + wide, y = from.y + high / 2, toY = node.y + high / 2;
          drawing.append(svg('path', {d: `M${x} ${y} C${x + gapX / 2} ${y} ${node.x - gapX / 2} ${toY} ${node.x} ${toY}`}));
        }
        let worst = {share: 0, name: ''};
        for (const node of all) {
          const own = counts(now, node), old = counts(before, node);
          const share = pressure(node.kind === 'view' ? 'views.' + node.name : node.name);
          if (share > worst.share) worst = {share, name: node.name, kind: node.kind};
          const speed = own && old && seconds ? Math.max(0, own.in - old.in) / seconds : 0;
          const bytes = state[node.kind === 'view' ? 'views.' + node.name : node.name];
          const lines = [[node.kind + ' ' + node.name, 'title'], [rate(speed) + ', ' + Number(own ? own.in : 0).toLocaleString('en') + ' in', ''],
            [share > 0.01 ? 'others wait ' + Math.round(share * 100) + ' %' : own && own.failed ? own.failed + ' failed' : '', ''],
            [bytes ? 'state ' + (bytes / 1e6).toFixed(1) + ' MB' : '', '']];
          const group = svg('g', {}, svg('rect', {x: node.x, y: node.y, width: wide, height: high, rx: 8, class: share > 0.3 ? 'hot' : ''}),
            svg('rect', {x: node.x, y: node.y + high - 5, width: wide * share, height: 5, class: 'bar'}));
          lines.forEach(([text, kind], index) => {
            const line = svg('text', {x: node.x + 10, y: node.y + 20 + index * 19, class: kind});
            line.textContent = text.length > 26 ? text.slice(0, 25) + '…' : text;
            group.append(line);
          });
          drawing.append(group);
        }
        return {svg: drawing, sentence: sentence(now, before, worst)};
      }

      function sentence(now, before, worst) {
        if (now.state === 'failed' || now.state === 'quarantined') return 'Does not run because it was given up: '
          + (now.last_failure ? now.last_failure.reason.split('\n')[0] : '');
        if (now.state === 'restarting') return 'Slow because it failed and is being started again.';
        if (now.state !== 'running') return 'Does not run: ' + now.state + '.';
        if (now.repeats_slowly) return 'Slow because it keeps failing: until its next checkpoint it reads what it failed in at a tenth of its speed.';
        if (!before) return 'Being measured…';
        if (worst.share > 0.1) return `Slow because ${worst.kind} ${worst.name} has more to do than it can: others wait for it `
          + Math.round(worst.share * 100) + ' % of the time.';
        const checkpoint = now.checkpoint.last;
        const interval = now.plan.checkpoint.interval_ms;
        if (checkpoint && checkpoint.duration_ms > interval) return 'Slow because checkpoints take longer ('
          + checkpoint.duration_ms + ' ms) than the time between them (' + interval + ' ms).';
        const limited = now.plan.sources.filter(s => s.rate).map(s => s.name + ' (' + s.rate + '/s)');
        if (limited.length) return 'Keeps up; its sources are held to a rate: ' + limited.join(', ') + '.';
        return 'Keeps up with what its sources bring.';
      }

      return {draw};
    })();

    """#
}
