// Node's node:http and node:https.
import http from 'node:http';
import https from 'node:https';
import { Body, cannot, pairs, payload, pieces, run } from './common.mjs';

const call = (row, seen, options) => new Promise((yes, no) => {
  const secure = row.column === 'tls';
  const rq = (secure ? https : http).request(row.url, options);
  const body = new Body();
  rq.on('information', (i) => {
    if (i.statusCode !== 100) (seen.interim ??= []).push({ status: i.statusCode, headers: pairs(i.rawHeaders) });
  });
  rq.on('response', (res) => {
    Object.assign(seen, { status: res.statusCode, reason: res.statusMessage, headers: pairs(res.rawHeaders), ordered: true, version: `HTTP/${res.httpVersion}` });
    (seen.statuses ??= []).push(res.statusCode);
    res.on('data', (data) => body.feed(data));
    res.on('end', () => {
      body.tell(seen);
      seen.trailers = pairs(res.rawTrailers);
      yes();
    });
    res.on('error', (e) => { body.tell(seen); no(e); });
  });
  rq.on('error', no);
  if (row.trailers?.length) rq.addTrailers(row.trailers);
  const send = () => {
    if (row.body === 'chunked') for (const p of pieces(row)) rq.write(p);
    else if (row.body) return rq.end(payload(row));
    rq.end();
  };
  if (row.expect) {
    rq.on('continue', send);
    rq.flushHeaders();
  } else send();
});

await run(async (row, seen, ca) => {
  seen.skip = cannot(row, 'trailers', 'expect', 'repeat');
  if (seen.skip) return;
  const secure = row.column === 'tls';
  const agent = new (secure ? https : http).Agent({ keepAlive: true, maxSockets: 1 });
  const at = new URL(row.url);
  const path = row.url.slice(row.url.indexOf(at.host) + at.host.length);
  const headers = ['Host', at.host];
  for (const [name, value] of row.headers ?? []) headers.push(name, value);
  if (row.close) headers.push('Connection', 'close');
  if (row.expect) headers.push('Expect', '100-continue');
  if (row.body === 'length') headers.push('Content-Length', String(payload(row).length));
  if (row.body === 'chunked') headers.push('Transfer-Encoding', 'chunked');
  const options = { method: row.method || 'GET', path, headers, agent, ca, maxHeaderSize: 1 << 20, joinDuplicateHeaders: false };
  try {
    for (let i = 0; i < (row.repeat || 1); i++) await call(row, seen, options);
  } finally {
    agent.destroy();
  }
});
