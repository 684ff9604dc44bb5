// Walks a list of calls with one official SDK, unmodified, and prints what its user gets.
// Argument: the SDK, a file of sdks/. Standard input: a JSON array of rows {name, do, model, base, key}. Standard
// output: a JSON array in the same order, {name, ok, ...what came, answers} or {name, ok: false, error, answers};
// answers are the heads of the gateway's answers.
import { tools } from './tasks.mjs';

const rows = JSON.parse(await new Response(process.stdin).text());

// The SDKs fetch as they always do; what they get is noted on its way.
let answers = [];
export const note = (status, header) =>
  answers.push({ status, call: header('causeway-call-id') ?? '', lost: header('causeway-translation') ?? '', finding: header('causeway-finding') ?? '' });
const plain = globalThis.fetch;
globalThis.fetch = async (...args) => {
  const res = await plain(...args);
  note(res.status, (name) => res.headers.get(name));
  return res;
};

globalThis.AI_SDK_LOG_WARNINGS = false; // standard output is for the results
process.env.AWS_BEARER_TOKEN_BEDROCK = rows[0].key;
const sdk = await import(`./sdks/${process.argv[2]}.mjs`);

// chain lists the error's classes, its own first.
const chain = (e) => {
  const names = [];
  for (let p = Object.getPrototypeOf(e); p && p !== Object.prototype; p = Object.getPrototypeOf(p)) names.push(p.constructor.name);
  return names;
};

// told is all that an error says of its cause, as a program that prints it gets it.
const told = (e) => {
  const parts = [];
  for (let n = 0; e && n < 5; n++, e = e.cause ?? e.lastError) parts.push(`${e.name ?? ''}: ${e.message ?? e}`, e.responseBody ?? '', typeof e.body === 'string' ? e.body : JSON.stringify(e.body ?? e.error ?? ''));
  return parts.join('\n');
};

const status = (e) => e.status ?? e.statusCode ?? e.status_code ?? e.$metadata?.httpStatusCode ?? e.cause?.statusCode ?? e.lastError?.statusCode ?? 0;

const limit = (promise, ms) => {
  let timer;
  return Promise.race([promise, new Promise((_, no) => (timer = setTimeout(() => no(new Error(`nothing within ${ms} ms`)), ms)))]).finally(() => clearTimeout(timer));
};

const results = [];
const unhandled = [];
process.on('unhandledRejection', (e) => unhandled.push(told(e)));
const clients = new Map();
for (const row of rows) {
  answers = [];
  const got = { text: '', thinking: '', calls: [], chunks: 0 };
  const begun = performance.now();
  try {
    if (!clients.has(row.base)) clients.set(row.base, sdk.open(row, note));
    if (!sdk.does[row.do]) throw new Error(`no action ${row.do}`);
    await limit(sdk.does[row.do](clients.get(row.base), row.model, got, tools), 20000);
    results.push({ name: row.name, ok: true, ...got });
  } catch (e) {
    results.push({ name: row.name, ok: false, ...got, error: { classes: chain(e), status: status(e), message: told(e) } });
  }
  Object.assign(results.at(-1), { answers, ms: performance.now() - begun });
}
process.stdout.write(JSON.stringify(results), () => process.exit(0)); // connections that are kept would hold it up
