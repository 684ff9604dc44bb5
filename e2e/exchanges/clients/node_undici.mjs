// undici's request(), the package.
import { Agent, request } from 'undici';
import { Body, cannot, pairs, payload, pieces, run } from './common.mjs';

await run(async (row, seen, ca) => {
  seen.skip = cannot(row, 'repeat');
  if (row.name === '304') seen.skip = 'waits for the body whose length a 304 declares';
  if (seen.skip) return;
  const dispatcher = new Agent({ connections: 1, pipelining: 1, allowH2: row.column === 'h2', maxHeaderSize: 1 << 20, connect: { ca } });
  const headers = [];
  for (const [name, value] of row.headers ?? []) headers.push(name, value);
  const at = new URL(row.url);
  const path = row.url.slice(row.url.indexOf(at.host) + at.host.length);
  try {
    for (let i = 0; i < (row.repeat || 1); i++) {
      const body = new Body();
      const res = await request(at.origin, {
        dispatcher, path, method: row.method || 'GET', headers, reset: Boolean(row.close), responseHeaders: 'raw',
        body: row.body === 'chunked' ? (async function* up() { yield* pieces(row); })() : payload(row),
        onInfo: (i) => (seen.interim ??= []).push({ status: i.statusCode, headers: pairs(i.headers) }),
      });
      Object.assign(seen, { status: res.statusCode, headers: Array.isArray(res.headers) ? pairs(res.headers) : Object.entries(res.headers), ordered: Array.isArray(res.headers) });
      (seen.statuses ??= []).push(res.statusCode);
      try {
        for await (const data of res.body) body.feed(data);
      } finally {
        body.tell(seen);
      }
      seen.trailers = Object.entries(res.trailers ?? {});
    }
  } finally {
    dispatcher.destroy();
  }
});
