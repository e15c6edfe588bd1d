/// Draws control charts: shares of records by the hour, against the mean of all hours and limits of three standard deviations.
///
/// A p chart: of `n` records of an hour a share `p` is expected to differ from the mean by less than 3·√(p(1−p)/n) as long as nothing but
/// chance is at work. https://www.itl.nist.gov/div898/handbook/pmc/section3/pmc332.htm
enum QualityScript {
  static let text = #"""
    'use strict';
    const Quality = (() => {
      const wide = 760, high = 180, left = 60, top = 14, bottom = 24;
      const svg = (tag, attributes, ...children) => {
        const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
        for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
        element.append(...children);
        return element;
      };
      const percent = share => (share * 100).toFixed(2) + ' %';

      // Of rows in the order of time: what share `part` is of `total`, its mean and limits, and which are beyond these.
      function points(rows, time, total, part) {
        const counted = rows.map(row => ({time: row[time], of: Number(row[total]), count: Number(row[part])})).filter(p => p.of > 0);
        const mean = counted.reduce((sum, p) => sum + p.count, 0) / Math.max(1, counted.reduce((sum, p) => sum + p.of, 0));
        for (const point of counted) {
          const width = 3 * Math.sqrt(mean * (1 - mean) / point.of);
          point.share = point.count / point.of;
          point.upper = Math.min(1, mean + width);
          point.lower = Math.max(0, mean - width);
          point.isOut = point.share > point.upper || point.share < point.lower;
        }
        return {mean, all: counted, out: counted.filter(p => p.isOut)};
      }

      function draw(name, {mean, all, out}) {
        const highest = Math.max(1e-6, ...all.map(p => Math.max(p.share, p.upper))) * 1.1;
        const x = index => left + (wide - left - 10) * (all.length > 1 ? index / (all.length - 1) : 0.5);
        const y = share => top + (high - top - bottom) * (1 - share / highest);
        const line = (kind, value) => svg('path', {class: kind,
          d: all.map((point, index) => (index ? 'L' : 'M') + x(index).toFixed(1) + ' ' + y(value(point)).toFixed(1)).join('')});
        const label = (share, text) => svg('text', {x: left - 6, y: y(share) + 4, 'text-anchor': 'end'}, text);
        const drawing = svg('svg', {class: 'control', viewBox: `0 0 ${wide} ${high}`, role: 'img',
          'aria-label': `${name}: mean ${percent(mean)}, ${out.length} of ${all.length} hours out of control`});
        drawing.append(label(0, '0'), label(mean, percent(mean)), line('limit', p => p.upper), line('limit', p => p.lower),
          line('mean', () => mean), line('share', p => p.share));
        all.forEach((point, index) => drawing.append(svg('circle', {class: point.isOut ? 'out' : '', cx: x(index).toFixed(1),
          cy: y(point.share).toFixed(1), r: point.isOut ? 5 : 2}, svg('title', {}, point.time + ': ' + percent(point.share)))));
        if (all.length) drawing.append(svg('text', {x: left, y: high - 6}, all[0].time.slice(0, 16).replace('T', ' ')),
          svg('text', {x: wide - 10, y: high - 6, 'text-anchor': 'end'}, all[all.length - 1].time.slice(0, 16).replace('T', ' ')));
        return drawing;
      }
      return {points, draw, percent};
    })();

    """#
}
