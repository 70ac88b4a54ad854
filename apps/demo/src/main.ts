// The main job, end to end: a real provider, a real service, right and wrong tokens, and a table of what came of them.
// `--serve` keeps both up and prints curl lines instead.
import { type DemoProvider, startProvider } from './provider.ts';
import { type DemoService, startService } from './service.ts';
import { type Cast, createCast, type Step, story } from './story.ts';

interface Outcome extends Step {
  readonly got: number | string;
}

console.log('Starting an OpenID provider (oidc-provider) …');
const provider = await startProvider();
console.log(`  it is at ${provider.issuer}`);
console.log('Starting the Express sample service …');
const service = await startService('express', provider.issuer);
console.log(`  it is at ${service.url}`);
console.log('Getting access tokens by the client-credentials grant …');
const cast = await createCast(provider, service.url);

if (process.argv.includes('--serve')) await serve(service, cast, provider);
else await tell(service, cast, provider);

async function tell({ url, stop }: DemoService, cast: Cast, provider: DemoProvider): Promise<void> {
  console.log('Telling the story …');
  const outcomes: Outcome[] = [];
  for (const step of story) {
    await step.before?.(provider);
    const got = await take(step, cast, url).catch((error: Error) => error.message);
    outcomes.push({ ...step, got });
    console.log(`  ${got === step.expected ? 'ok ' : 'BAD'} ${step.title}`);
  }
  const exitCode = await stop();
  console.log(`Stopped the service with SIGTERM: exit code ${exitCode}\n`);
  printTable(outcomes);
  const wrong = outcomes.filter(({ got, expected }) => got !== expected).length + (exitCode === 0 ? 0 : 1);
  console.log(wrong === 0 ? `\nAll ${outcomes.length} as expected.` : `\n${wrong} not as expected.`);
  process.exitCode = wrong === 0 ? 0 : 1;
}

async function take({ method, path, token, body }: Step, cast: Cast, url: string): Promise<number> {
  const headers: Record<string, string> = {};
  if (token !== undefined) headers.authorization = `Bearer ${await token(cast)}`;
  const content = await body?.(cast);
  if (content !== undefined) headers['content-type'] = 'application/json';
  const response = await fetch(`${url}${path}`, {
    method,
    headers,
    body: content === undefined ? null : JSON.stringify(content),
    signal: AbortSignal.timeout(10_000),
  });
  await response.body?.cancel();
  return response.status;
}

function printTable(outcomes: readonly Outcome[]): void {
  const rows = [
    ['request', '', 'expected', 'got'],
    ...outcomes.map(({ method, path, title, expected, got }) => [
      `${method} ${path}`,
      title,
      String(expected),
      `${got}${got === expected ? '' : '  <-- not as expected'}`,
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const [index, row] of rows.entries()) {
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
    if (index === 0) console.log(widths.map((width) => '-'.repeat(width)).join('  '));
  }
}

async function serve({ url, stop }: DemoService, cast: Cast, provider: DemoProvider): Promise<void> {
  const [bob] = (await cast.friendsOf(cast.alice)).filter(({ name }) => name === 'bob');
  const message = JSON.stringify({ friendToken: bob?.friendToken, text: 'Hello, Bob' });
  console.log(`
Both stay up until Ctrl-C. The tokens are good for five minutes.

curl -i ${url}/health
curl -i ${url}/friends
curl -i ${url}/friends -H 'Authorization: Bearer ${cast.alice}'
curl -i ${url}/admin -H 'Authorization: Bearer ${cast.alice}'
curl -i ${url}/admin -H 'Authorization: Bearer ${cast.bob}'
curl -i ${url}/messages -H 'Authorization: Bearer ${cast.alice}' -H 'Content-Type: application/json' -d '${message}'

A new token:
curl -s ${provider.issuer}/token -u alice:alice-secret -d grant_type=client_credentials -d 'scope=friends:read messages:write'
`);
  await new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await stop();
  await provider.stop();
}
