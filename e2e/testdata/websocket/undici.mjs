// Talks WebSocket with the addresses on standard input, one a line, and prints what it saw of each.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const { WebSocket } = createRequire(process.cwd() + "/exchanges/")("undici");

async function talk(base) {
  const saw = [];
  const open = (path, protocols) => new Promise((resolve) => {
    const c = new WebSocket(base + path, protocols);
    c.binaryType = "arraybuffer";
    c.onopen = () => resolve(c);
    c.onerror = () => resolve(c);
  });
  const message = (c) => new Promise((resolve) => {
    c.onmessage = (e) => resolve(typeof e.data === "string" ? `text ${e.data.length}` : `binary ${e.data.byteLength}`);
    c.onclose = (e) => resolve(`close ${e.code} ${e.reason} ${e.wasClean}`);
  });
  let c = await open("/ws/echo", ["none.v9", "chat.v1"]);
  saw.push(`protocol ${c.protocol}, extensions ${c.extensions}`);
  for (const m of ["hello", "", "grüße ".repeat(20000), new Uint8Array(70000)]) {
    const got = message(c);
    c.send(m);
    saw.push(await got);
  }
  const end = message(c);
  c.close(4005, "done");
  saw.push(await end);
  c = await open("/ws/close?code=4100&reason=because");
  saw.push(await message(c));
  return saw;
}

const out = [];
for (const base of readFileSync(0, "utf8").trim().split("\n")) out.push(await talk(base));
console.log(JSON.stringify(out));
