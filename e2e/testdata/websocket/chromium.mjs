// Opens a page of each address on standard input in Chromium and talks WebSocket from it, over the
// connection that the page came by where the server allows that. Prints what it saw.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const { chromium } = createRequire(process.cwd() + "/exchanges/")("playwright-core");

const browser = await chromium.launch({ executablePath: process.argv[2], args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update"] });
const context = await browser.newContext({ ignoreHTTPSErrors: true });
const out = [];
for (const base of readFileSync(0, "utf8").trim().split("\n")) {
  const page = await context.newPage();
  await page.goto(base + "/page");
  out.push(await page.evaluate(async () => {
    const saw = [];
    const open = (path, protocols) => new Promise((resolve) => {
      const c = new WebSocket(location.origin.replace("http", "ws") + path, protocols);
      c.binaryType = "arraybuffer";
      c.onopen = () => resolve(c);
      c.onerror = () => resolve(c);
    });
    const message = (c) => new Promise((resolve) => {
      c.onmessage = (e) => resolve(typeof e.data === "string" ? `text ${e.data.length}` : `binary ${e.data.byteLength}`);
      c.onclose = (e) => resolve(`close ${e.code} ${e.reason.replace(/call \w+/, "call")} ${e.wasClean}`);
    });
    let c = await open("/ws/echo", ["none.v9", "chat.v1"]);
    saw.push(`protocol ${c.protocol}`);
    for (const m of ["hello", "", "grüße ".repeat(20000), new Uint8Array(70000), new Uint8Array(5 << 20)]) {
      const got = message(c);
      c.send(m);
      saw.push(await got);
    }
    const end = message(c);
    c.close(4005, "done");
    saw.push(await end);
    c = await open("/ws/close?code=4100&reason=because");
    saw.push(await message(c));
    c = await open("/ws/die");
    const died = message(c);
    c.send("x");
    saw.push(await died);
    return saw;
  }));
}
await browser.close();
console.log(JSON.stringify(out));
