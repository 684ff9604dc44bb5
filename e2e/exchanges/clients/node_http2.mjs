// Node's node:http2.
import http2 from 'node:http2';
import { Body, cannot, pairs, payload, pieces, run } from './common.mjs';

const call = (session, row, seen, path) => new Promise((yes, no) => {
  const head = { ':method': row.method || 'GET', ':path': path };
  for (const [name, value] of row.headers ?? []) {
    const key = name.toLowerCase();
    head[key] = key in head ? [].concat(head[key], value) : value;
  }
  if (row.expect) head.expect = '100-continue';
  if (row.body === 'length') head['content-length'] = String(payload(row).length);
  const stream = session.request(head, { endStream: !row.body, waitForTrailers: Boolean(row.trailers?.length) });
  const body = new Body();
  const real = (flat) => pairs(flat).filter(([name]) => !name.startsWith(':'));
  stream.on('wantTrailers', () => stream.sendTrailers(Object.fromEntries(row.trailers)));
  stream.on('headers', (h, flags, raw) => {
    if (h[':status'] !== 100) (seen.interim ??= []).push({ status: h[':status'], headers: real(raw) });
  });
  stream.on('response', (h, flags, raw) => {
    Object.assign(seen, { status: h[':status'], headers: real(raw), ordered: true, version: 'HTTP/2' });
    (seen.statuses ??= []).push(h[':status']);
  });
  stream.on('trailers', (h, flags, raw) => { seen.trailers = real(raw); });
  stream.on('data', (data) => body.feed(data));
  stream.on('end', () => body.tell(seen));
  stream.on('error', no);
  stream.on('close', () => (stream.rstCode ? no(Object.assign(new Error('reset'), { code: `RST_STREAM ${stream.rstCode}` })) : yes()));
  const send = () => {
    if (row.body === 'chunked') for (const p of pieces(row)) stream.write(p);
    else if (row.body) return stream.end(payload(row));
    stream.end();
  };
  if (row.expect) stream.on('continue', send);
  else if (row.body) send();
});

await run(async (row, seen, ca) => {
  seen.skip = cannot(row, 'trailers', 'expect', 'repeat');
  if (seen.skip) return;
  const at = new URL(row.url);
  const path = row.url.slice(row.url.indexOf(at.host) + at.host.length);
  const session = http2.connect(at.origin, { ca, maxSendHeaderBlockLength: 1 << 20, settings: { maxHeaderListSize: 1 << 20 } });
  session.on('error', () => {}); // every stream has it too
  try {
    for (let i = 0; i < (row.repeat || 1); i++) await call(session, row, seen, path);
  } finally {
    session.destroy();
  }
});
