// Chromium, driven by playwright-core: fetch() in a page of the same origin.
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { cannot } from './common.mjs';

const job = JSON.parse(readFileSync(0, 'utf8'));
const browser = await chromium.launch({ executablePath: job.browser, args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update'] });
const context = await browser.newContext({ ignoreHTTPSErrors: true });

// Runs in the page.
const one = async (row) => {
  const seen = {};
  const pattern = (n) => {
    const b = new Uint8Array(n);
    for (let i = 0; i < n; i++) b[i] = i % 251;
    return b;
  };
  const latin = (s) => Uint8Array.from(s, (c) => c.charCodeAt(0));
  const payload = () => (row.size ? pattern(row.size) : latin(row.text));
  try {
    for (let i = 0; i < (row.cookies ? 2 : row.repeat || 1); i++) {
      const begun = performance.now();
      let first;
      let last;
      const body = row.body === 'chunked' ? new ReadableStream({ start(c) { c.enqueue(payload()); c.close(); } }) : row.body ? payload() : undefined;
      const res = await fetch(row.url, {
        method: row.method || 'GET', headers: row.headers ?? [], body, duplex: 'half', cache: 'no-store',
        redirect: row.follow ? 'follow' : 'manual', credentials: row.cookies ? 'include' : 'omit', signal: AbortSignal.timeout(15000),
      });
      Object.assign(seen, { status: res.status, reason: res.statusText, headers: [...res.headers] });
      (seen.statuses ??= []).push(res.status);
      if (row.follow) seen.url = res.url;
      const parts = [];
      const reader = res.body?.getReader();
      try {
        for (let r; reader && !(r = await reader.read()).done;) {
          last = performance.now();
          first ??= last;
          parts.push(r.value);
        }
      } finally {
        const all = new Uint8Array(await new Blob(parts).arrayBuffer());
        const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', all));
        Object.assign(seen, {
          length: all.length, sha: [...sum].map((b) => b.toString(16).padStart(2, '0')).join(''),
          wait: Math.round((first ?? begun) - begun), spread: Math.round((last ?? 0) - (first ?? 0)),
        });
      }
    }
  } catch (e) {
    seen.error = e.name;
  }
  return seen;
};

const all = [];
const pages = new Map();
for (const row of job.rows) {
  const seen = { skip: cannot(row, 'follow', 'repeat', 'cookies') };
  all.push(seen);
  if (seen.skip) continue;
  const { origin } = new URL(row.url);
  if (!pages.has(origin)) {
    const page = await context.newPage();
    await page.goto(`${origin}/to/page`);
    pages.set(origin, page);
  }
}
let next = 0;
const walk = async () => {
  for (let i = next++; i < job.rows.length; i = next++) {
    const row = job.rows[i];
    if (all[i].skip) continue;
    const begun = performance.now();
    Object.assign(all[i], await pages.get(new URL(row.url).origin).evaluate(one, row), { took: Math.round(performance.now() - begun) });
  }
};
await Promise.all(Array.from({ length: 4 }, walk));
await browser.close();
process.stdout.write(JSON.stringify(all), () => process.exit(0));
