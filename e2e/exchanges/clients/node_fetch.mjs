// fetch() as Node has it built in.
import { Body, cannot, payload, pieces, run } from './common.mjs';

await run(async (row, seen) => {
  seen.skip = cannot(row, 'follow', 'repeat');
  if (seen.skip) return;
  for (let i = 0; i < (row.repeat || 1); i++) {
    const body = new Body();
    const upload = row.body === 'chunked' ? new ReadableStream({
      start(c) {
        for (const p of pieces(row)) c.enqueue(p);
        c.close();
      },
    }) : payload(row);
    const res = await fetch(row.url, { method: row.method || 'GET', headers: row.headers ?? [], body: upload, duplex: 'half', redirect: row.follow ? 'follow' : 'manual' });
    Object.assign(seen, { status: res.status, reason: res.statusText, headers: [...res.headers] });
    (seen.statuses ??= []).push(res.status);
    if (row.follow) seen.url = res.url;
    try {
      for await (const data of res.body ?? []) body.feed(data);
    } finally {
      body.tell(seen);
    }
  }
});
