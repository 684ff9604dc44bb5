// What the Node drivers share: reading the job, making bodies, hashing, printing what was seen.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export const limit = 15_000; // milliseconds for one exchange

export const pattern = (n) => {
  const b = Buffer.alloc(n);
  for (let i = 0; i < n; i++) b[i] = i % 251;
  return b;
};

export const payload = (row) => {
  if (!row.body) return null;
  return row.size ? pattern(row.size) : Buffer.from(row.text, 'latin1');
};

export function* pieces(row) {
  const body = payload(row);
  for (let i = 0; i < body.length; i += 65536) yield body.subarray(i, i + 65536);
}

const extras = {
  trailers: 'sends no trailers', expect: 'does not wait for 100 (Continue)', http10: 'sends HTTP/1.1 only', pipeline: 'does not pipeline',
  follow: 'follows no redirects', cookies: 'keeps no cookies', repeat: 'keeps no connection',
};

// Why a client that can do only these extras cannot make this exchange.
export const cannot = (row, ...can) => {
  for (const [key, what] of Object.entries(extras)) {
    const asked = Array.isArray(row[key]) ? row[key].length > 0 : row[key];
    if (asked && !can.includes(key)) return what;
  }
  return '';
};

// Hashes an answer's body as it comes.
export class Body {
  constructor() {
    this.hash = createHash('sha256');
    this.length = 0;
    this.begun = performance.now();
  }

  feed(data) {
    if (!data.length) return;
    this.last = performance.now();
    this.first ??= this.last;
    this.length += data.length;
    this.hash.update(data);
  }

  tell(seen) {
    const first = this.first ?? this.begun;
    Object.assign(seen, {
      length: this.length, sha: this.hash.digest('hex'),
      wait: Math.round(first - this.begun), spread: Math.round((this.last ?? first) - first),
    });
  }
}

// A flat list of names and values, as Node gives raw headers.
export const pairs = (flat) => {
  const list = [];
  const text = (x) => (Buffer.isBuffer(x) ? x.toString('latin1') : x);
  for (let i = 0; i + 1 < flat.length; i += 2) list.push([text(flat[i]), text(flat[i + 1])]);
  return list;
};

const class_ = (e) => e?.cause?.code ?? e?.code ?? e?.cause?.name ?? e?.name ?? String(e);

export const within = (ms, promise) => {
  let timer;
  const late = new Promise((_, no) => { timer = setTimeout(() => no(Object.assign(new Error('late'), { code: 'TIMEOUT' })), ms); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

// Makes the exchanges, six at a time; one(row, seen, ca) fills in what was seen.
export const run = async (one) => {
  const job = JSON.parse(readFileSync(0, 'utf8'));
  const ca = readFileSync(job.ca);
  const all = job.rows.map(() => ({}));
  let next = 0;
  const walk = async () => {
    for (let i = next++; i < job.rows.length; i = next++) {
      const begun = performance.now();
      try {
        await within(limit, one(job.rows[i], all[i], ca));
      } catch (e) {
        all[i].error = class_(e);
      }
      all[i].took = Math.round(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: 6 }, walk));
  process.stdout.write(JSON.stringify(all), () => process.exit(0));
};
