// An HTTP server that answers with what it understood of each request, and prints the same.
import http from 'node:http';

let count = 0;
const server = http.createServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 60000 }, (req, res) => {
  let length = 0;
  req.on('data', (part) => { length += part.length; });
  req.on('end', () => {
    const text = `${req.method} ${req.url} ${length}`;
    process.stdout.write(`${++count} ${text}\n`);
    res.setHeader('X-Method', req.method);
    res.setHeader('X-Seen', String(count));
    res.end(text);
  });
  req.on('error', () => res.destroy());
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`listening 127.0.0.1:${server.address().port}\n`));
