// Node's HTTP/2 server without TLS, which takes WebSockets by extended CONNECT (RFC 8441) alone. It gives
// every message back, answers a close frame, and prints its port.
import http2 from "node:http2";

const server = http2.createServer({ settings: { enableConnectProtocol: true } });
server.on("stream", (stream, headers) => {
  stream.on("error", () => {});
  if (headers[":method"] !== "CONNECT" || headers[":protocol"] !== "websocket") {
    stream.respond({ ":status": 405 });
    stream.end("not a WebSocket");
    return;
  }
  const strange = ["sec-websocket-key", "connection", "upgrade"].filter((name) => headers[name]);
  stream.respond({ ":status": 200, "sec-websocket-protocol": "chat.v1", "x-strange": strange.join(" ") });
  let have = Buffer.alloc(0);
  stream.on("data", (piece) => {
    have = Buffer.concat([have, piece]);
    for (;;) {
      if (have.length < 6) return;
      let size = have[1] & 0x7f;
      let at = 2;
      if (size === 126) [size, at] = [have.readUInt16BE(2), 4];
      else if (size === 127) {
        if (have.length < 14) return;
        [size, at] = [Number(have.readBigUInt64BE(2)), 10];
      }
      if (have.length < at + 4 + size) return;
      const key = have.subarray(at, at + 4);
      const payload = Buffer.from(have.subarray(at + 4, at + 4 + size));
      for (let i = 0; i < size; i++) payload[i] ^= key[i & 3];
      const head = Buffer.concat([have.subarray(0, 1), Buffer.from([have[1] & 0x7f]), have.subarray(2, at)]);
      const op = have[0] & 0x0f;
      have = have.subarray(at + 4 + size);
      stream.write(Buffer.concat([op === 9 ? Buffer.from([0x8a, head[1]]) : head, payload]));
      if (op === 8) {
        stream.end();
        return;
      }
    }
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
