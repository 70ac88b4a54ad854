// The `curl` of the tests, since not every machine has one. It knows the options that the pages
// use, sends the request, and prints the status.
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  options: {
    include: { type: 'boolean', short: 'i' },
    header: { type: 'string', short: 'H', multiple: true, default: [] },
    data: { type: 'string', short: 'd' },
  },
  allowPositionals: true,
});
const headers = new Headers();
for (const header of values.header) {
  const colon = header.indexOf(':');
  headers.append(header.slice(0, colon), header.slice(colon + 1).trim());
}
const { data } = values;
const answer = await fetch(`http://${positionals[0]}`, {
  headers,
  ...(data === undefined ? {} : { method: 'POST', body: data }),
});
console.log(answer.status);
await answer.body?.cancel();
