/// What fills the pages: fetches with the reader's token, draws with text alone, follows changes over a stream of its own.
enum PageScript {
  static let text = #"""
    'use strict';
    const content = document.getElementById('content');
    const notice = document.getElementById('notice');
    const path = location.pathname.split('/').filter(Boolean).map(decodeURIComponent);

    function make(tag, attributes, ...children) {
      const element = document.createElement(tag);
      for (const [name, value] of Object.entries(attributes || {})) {
        if (name.startsWith('on')) element.addEventListener(name.slice(2), value); else element.setAttribute(name, value);
      }
      element.append(...children.map(child => child == null ? '' : child));
      return element;
    }

    function token() { return sessionStorage.getItem('weir-token'); }

    async function ask(target, options) {
      const headers = Object.assign({}, options && options.headers);
      if (token()) headers.Authorization = 'Bearer ' + token();
      const answer = await fetch(target, Object.assign({}, options, {headers}));
      if (answer.status === 401) { askForToken(); throw new Error('sign in with a bearer token'); }
      if (!answer.ok) {
        const problem = await answer.json().catch(() => ({}));
        throw new Error(problem.detail || 'the runner answers ' + answer.status);
      }
      return answer;
    }
    const get = async target => (await ask(target)).json();

    function askForToken() { document.getElementById('enter').hidden = false; document.getElementById('token').focus(); }
    document.getElementById('enter').addEventListener('submit', event => {
      event.preventDefault();
      sessionStorage.setItem('weir-token', document.getElementById('token').value.trim());
      location.reload();
    });
    const leave = document.getElementById('leave');
    leave.hidden = !token();
    leave.addEventListener('click', () => { sessionStorage.removeItem('weir-token'); location.reload(); });

    function say(text) { notice.textContent = text; notice.hidden = !text; }
    const count = value => value == null ? '' : Number(value).toLocaleString('en');
    const size = bytes => bytes > 1e9 ? (bytes / 1e9).toFixed(1) + ' GB' : bytes > 1e6 ? (bytes / 1e6).toFixed(1) + ' MB'
      : Math.round(bytes / 1e3) + ' kB';
    function age(ms) {
      if (ms == null) return '–';
      const s = ms / 1000;
      return s < 120 ? s.toFixed(s < 10 ? 1 : 0) + ' s' : s < 7200 ? Math.round(s / 60) + ' min'
        : s < 172800 ? Math.round(s / 3600) + ' h' : Math.round(s / 86400) + ' d';
    }

    // Amounts are exact: digits are added as whole numbers, never as floating point.
    function exactSum(values) {
      const texts = values.filter(v => v != null).map(String);
      if (texts.some(t => !/^-?[0-9]+([.][0-9]+)?$/.test(t))) return '';
      const places = Math.max(0, ...texts.map(t => (t.split('.')[1] || '').length));
      const total = texts.reduce((sum, t) => {
        const [whole, part = ''] = t.split('.');
        return sum + BigInt(whole + part.padEnd(places, '0'));
      }, 0n);
      const digits = String(total < 0n ? -total : total).padStart(places + 1, '0'), cut = digits.length - places;
      return (total < 0n ? '-' : '') + BigInt(digits.slice(0, cut)).toLocaleString('en') + (places ? '.' + digits.slice(cut) : '');
    }

    function table(caption, columns, rows) {
      const head = make('tr', {}, ...columns.map(c => make('th', {scope: 'col', class: c.number ? 'number' : ''}, c.name)));
      const body = rows.map(row => make('tr', {}, ...columns.map((c, i) =>
        make('td', {class: c.number ? 'number' : '', 'data-label': c.name}, row[i] == null ? '' : row[i]))));
      return make('div', {class: 'wide'}, make('table', {class: 'stack'}, make('caption', {class: 'skip'}, caption),
        make('thead', {}, head), make('tbody', {}, ...body)));
    }
    const state = value => make('span', {class: 'state ' + value}, value);

    async function repeat(every, draw) {
      for (;;) {
        try { await draw(); say(''); } catch (error) { say(error.message); }
        await new Promise(done => setTimeout(done, every));
      }
    }

    // A stream of changes, resumed behind the last event that was seen.
    async function follow(target, position, seen) {
      let last = position;
      for (;;) {
        try {
          const answer = await ask(target, last ? {headers: {'Last-Event-ID': last}} : {});
          const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
          let text = '';
          for (;;) {
            const {value, done} = await reader.read();
            if (done) break;
            text += value;
            let end;
            while ((end = text.indexOf('\n\n')) >= 0) {
              const event = {};
              for (const line of text.slice(0, end).split('\n')) {
                const colon = line.indexOf(':');
                if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 1).trim();
              }
              text = text.slice(end + 2);
              if (event.id) last = event.id;
              if (event.event) seen(event.event, JSON.parse(event.data || '{}'));
            }
          }
        } catch (error) { say(error.message); }
        await new Promise(done => setTimeout(done, 1000));
      }
    }

    function topologies() {
      repeat(1000, async () => {
        const {topologies, broken} = await get('/v1/topologies');
        const columns = [{name: 'Topology'}, {name: 'State'}, {name: 'Records in', number: true},
          {name: 'Rows out', number: true}, {name: 'Dead letters', number: true}, {name: 'Behind', number: true},
          {name: 'Checkpoint', number: true}, {name: 'Last failure'}];
        const rows = topologies.map(t => [make('a', {href: '/topologies/' + encodeURIComponent(t.name)}, t.name),
          state(t.state), count(t.records_in), count(t.rows_out), count(t.dead_letters), age(t.watermark_lag_ms),
          t.checkpoint.last ? age(t.checkpoint.last.age_ms) + ' ago' : '–',
          t.last_failure ? t.last_failure.reason.split('\n')[0] : '']);
        const focused = document.activeElement && document.activeElement.getAttribute('href');
        content.replaceChildren(
          topologies.length ? table('Topologies', columns, rows) : make('p', {}, 'None yet: weir submit FILE'),
          ...broken.map(b => make('p', {}, b.name + ' cannot be run again: ' + b.reason)));
        if (focused) for (const link of content.querySelectorAll('a')) if (link.getAttribute('href') === focused) link.focus();
      });
    }

    function topology() {
      const name = path[1], base = '/v1/topologies/' + encodeURIComponent(name);
      document.querySelector('h1').textContent = name;
      const top = make('div'), graph = make('div', {class: 'wide'}), sentence = make('p', {class: 'sentence'}),
        views = make('p'), timeline = make('div'), letters = make('div');
      const act = (label, action, question) => make('button', {onclick: async () => {
        if (question && !confirm(question)) return;
        try { await ask(base + action, {method: 'POST'}); } catch (error) { say(error.message); }
      }}, label);
      const replay = make('button', {onclick: async () => {
        try {
          const done = await (await ask(base + '/dead-letters/replay', {method: 'POST', body: '{}'})).json();
          say(count(done.sent) + ' records sent back to their source');
        } catch (error) { say(error.message); }
      }}, 'Replay them');
      content.append(top, make('div', {class: 'actions'}, act('Pause', '/pause', 'Pause ' + name + '?'),
        act('Resume', '/resume'), act('Savepoint', '/savepoints')), sentence, graph, views,
        make('h2', {}, 'Checkpoints'), timeline, make('h2', {}, 'Dead letters'), letters, replay);
      let before, round = 0;
      repeat(1000, async () => {
        const now = await get(base);
        now.seen = performance.now();
        top.replaceChildren(state(now.state), ' revision ' + now.revision + ', parallelism ' + now.parallelism
          + ', behind ' + age(now.watermark_lag_ms)
          + (now.last_failure ? '. Last failure: ' + now.last_failure.reason.split('\n')[0] : ''));
        const shown = Graph.draw(now, before);
        graph.replaceChildren(shown.svg);
        sentence.textContent = shown.sentence;
        views.replaceChildren('Views: ', ...now.views.flatMap(view =>
          [make('a', {href: '/topologies/' + encodeURIComponent(name) + '/views/' + encodeURIComponent(view)}, view), ' ']));
        before = now;
        if (round++ % 5) return;
        const {checkpoints} = await get(base + '/checkpoints');
        const longest = Math.max(1, ...checkpoints.map(c => c.duration_ms || 0));
        timeline.replaceChildren(table('Checkpoints', [{name: 'Checkpoint', number: true}, {name: 'Taken'},
          {name: 'Took', number: true}, {name: ''}, {name: 'State', number: true}, {name: 'New', number: true}],
          checkpoints.reverse().map(c => [c.id, c.damaged || c.created_at.replace('T', ' ').slice(0, 19),
            c.duration_ms + ' ms', make('meter', {min: 0, max: longest, value: c.duration_ms || 0}, ''), size(c.state_bytes || 0),
            size(c.new_bytes || 0)])));
        const page = await get(base + '/dead-letters?limit=20');
        replay.hidden = !page.letters.length;
        letters.replaceChildren(page.letters.length ? table('Dead letters', [{name: 'Step'}, {name: 'Port'}, {name: 'Reason'},
          {name: 'Record'}], page.letters.map(l => [l.step, l.port, l.reason, (l.record || l.record_base64).slice(0, 120)]))
          : make('p', {}, 'None.'));
      });
    }

    // The latest changes of a view, newest first: alerts as they come.
    async function view() {
      const target = '/v1/topologies/' + encodeURIComponent(path[1]) + '/views/' + encodeURIComponent(path[3]);
      document.querySelector('h1').textContent = path[3] + ' of ' + path[1];
      try {
        const {columns} = await get(target);
        const names = columns.map(c => c.name), body = make('tbody');
        const row = data => make('tr', {class: 'fresh'}, ...names.map(n => make('td', {'data-label': n}, data[n] == null ? '' : String(data[n]))));
        content.append(make('div', {class: 'wide'}, make('table', {class: 'stack', 'aria-live': 'polite'}, make('thead', {},
          make('tr', {}, ...names.map(n => make('th', {scope: 'col'}, n)))), body)));
        const page = await get(target + '/rows?isolation=live&limit=50');
        for (const data of page.rows) body.append(row(data));
        say('');
        follow(target + '/changes?isolation=live', page.position, (kind, data) => {
          if (kind !== 'upsert') return;
          body.prepend(row(data));
          while (body.children.length > 200) body.lastChild.remove();
        });
      } catch (error) { say(error.message); }
    }

    // Control charts of a view with one row an hour: its first whole number counts the records, the others parts of them.
    async function quality() {
      const target = '/v1/topologies/' + encodeURIComponent(path[1]) + '/views/' + encodeURIComponent(path[3]), shownHours = 336;
      document.querySelector('h1').textContent = 'Data quality of ' + path[1];
      try {
        const definition = await get(target), time = definition.key[0];
        const [total, ...parts] = definition.columns.filter(c => /^int64/.test(c.type)).map(c => c.name);
        await repeat(2000, async () => {
          let rows = [], cursor = '', page;
          do {
            page = await get(target + '/rows?limit=1000' + cursor);
            rows = [...rows, ...page.rows].slice(-shownHours);
            cursor = page.next ? '&cursor=' + page.next : '';
          } while (cursor);
          content.replaceChildren(make('p', {}, count(rows.reduce((sum, row) => sum + Number(row[total]), 0)) + ' records in '
            + count(rows.length) + ' hours, as of the last checkpoint. Dashed: the limits within which chance stays.'),
            ...parts.flatMap(part => {
              const points = Quality.points(rows, time, total, part);
              return [make('h2', {}, part.replace(/_/g, ' ')), make('div', {class: 'wide'}, Quality.draw(part, points)),
                points.out.length ? table('Hours out of control', [{name: 'Hour'}, {name: 'Records', number: true},
                  {name: part, number: true}, {name: 'Share', number: true}, {name: 'Limits', number: true}],
                  points.out.slice(-20).reverse().map(p => [p.time.slice(0, 16).replace('T', ' '), count(p.of), count(p.count),
                    Quality.percent(p.share), Quality.percent(p.lower) + ' to ' + Quality.percent(p.upper)]))
                : make('p', {}, 'In control: no hour is beyond the limits.')];
            }));
        });
      } catch (error) { say(error.message); }
    }

    // An example of a customer's own page: the signed-in account's rows, and no others, since the token says which.
    async function portal() {
      const target = '/v1/topologies/' + encodeURIComponent(path[1]) + '/views/' + encodeURIComponent(path[2]);
      try {
        const definition = await get(target);
        const numbers = definition.columns.filter(c => /int64|decimal/.test(c.type) && !definition.key.includes(c.name)).map(c => c.name);
        const shown = definition.columns.map(c => c.name).filter(n => n !== definition.account && n !== 'window_end');
        const rows = new Map(), keyOf = row => definition.key.map(k => row[k]).join('\u0000');
        let cursor = '', page;
        do {
          page = await get(target + '/rows?isolation=live&limit=1000' + cursor);
          for (const row of page.rows) rows.set(keyOf(row), row);
          cursor = page.next ? '&cursor=' + page.next : '';
        } while (cursor);
        const draw = () => {
          const all = [...rows.values()];
          document.querySelector('h1').textContent = 'Your usage' + (all[0] && definition.account ? ', ' + all[0][definition.account] : '');
          content.replaceChildren(make('div', {class: 'cards'}, ...numbers.map(n => make('div', {class: 'card'}, n.replace(/_/g, ' '),
            make('b', {}, exactSum(all.map(row => row[n])))))), table('Usage',
            shown.map(n => ({name: n.replace(/_/g, ' '), number: numbers.includes(n)})), all.reverse().slice(0, 200).map(row => shown.map(n =>
              numbers.includes(n) ? count(row[n]) : String(row[n] == null ? '' : row[n]).replace('T', ' ').replace(/:00\.000Z$/, '')))));
        };
        draw(); say('');
        follow(target + '/changes?isolation=live', page.position, (kind, data) => {
          if (kind === 'upsert') rows.set(keyOf(data), data); else if (kind === 'delete') rows.delete(keyOf(data)); else return;
          draw();
        });
      } catch (error) { say(error.message); }
    }

    ({topologies, topology, view, quality, portal})[document.body.dataset.page]();

    """#
}
