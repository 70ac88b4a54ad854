// The load client if wrk is not installed: autocannon in its own process. Each connection sends its
// share of the tokens.
import { readFileSync } from 'node:fs';
import autocannon from 'autocannon';

const [url = '', file = '', start = '', seconds = '', connections = ''] = process.argv.slice(2);
const tokens = readFileSync(file, 'utf8').trim().split('\n');
const first = Number(start) % tokens.length;
const inOrder = [...tokens.slice(first), ...tokens.slice(0, first)];
let clients = 0;

const { requests, duration, errors, timeouts, non2xx } = await autocannon({
  url,
  duration: Number(seconds),
  connections: Number(connections),
  setupClient(client) {
    const lane = clients++;
    const own = inOrder.filter((_, index) => index % Number(connections) === lane);
    client.setRequests(own.map((token) => ({ headers: { authorization: `Bearer ${token}` } })));
  },
});
console.log(
  JSON.stringify({ requests: requests.total, seconds: duration, failed: errors + timeouts + non2xx }),
);
