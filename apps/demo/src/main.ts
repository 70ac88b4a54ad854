// The demo end to end: a real provider, a service per framework, valid and invalid tokens, and a
// table of the answers. `--serve` keeps the servers running and prints curl commands instead.
import { audience, type DemoProvider, startProvider } from './provider.ts';
import { type DemoService, frameworks, startService } from './service.ts';
import { type Cast, createCast, getTokens, type Step, story, type Tokens } from './story.ts';
import { printTable } from './table.ts';

console.log('Starting an OpenID provider (oidc-provider) …');
const provider = await startProvider();
console.log(`  the provider runs at ${provider.issuer}`);
const services = await Promise.all(
  frameworks.map(async (framework) => {
    console.log(`Starting the ${framework} service …`);
    const service = await startService(framework, { issuer: provider.issuer, audience });
    console.log(`  the ${framework} service runs at ${service.url}`);
    return service;
  }),
);
console.log('Getting access tokens by the client-credentials grant …');
const tokens = await getTokens(provider);

if (process.argv.includes('--serve')) await serve(services, tokens, provider);
else await tell(services, tokens, provider);

async function tell(services: readonly DemoService[], tokens: Tokens, provider: DemoProvider): Promise<void> {
  console.log('Sending the requests …');
  const casts = services.map((service) => createCast(provider, tokens, service));
  const outcomes: { readonly step: Step; readonly got: readonly (number | string)[] }[] = [];
  for (const step of story) {
    await step.before?.(provider);
    const got = await Promise.all(
      services.map(({ url }, index) => {
        const cast = casts[index];
        return cast === undefined ? 'no cast' : take(step, cast, url).catch((error: Error) => error.message);
      }),
    );
    outcomes.push({ step, got });
    console.log(`  ${got.every((status) => status === step.expected) ? 'ok ' : 'BAD'} ${step.title}`);
  }
  const exitCodes = await Promise.all(services.map(({ stop }) => stop()));
  console.log(`Stopped the services with SIGTERM: exit codes ${exitCodes.join(', ')}\n`);
  printTable(
    ['request', '', 'expected', ...services.map(({ framework }) => framework)],
    outcomes.map(({ step: { method, path, title, expected }, got }) => [
      `${method} ${path}`,
      title,
      String(expected),
      ...got.map((status) => `${status}${status === expected ? '' : ' !'}`),
    ]),
  );
  const answers = outcomes.flatMap(({ step: { expected }, got }) => got.map((status) => status === expected));
  const wrong = [...answers, ...exitCodes.map((code) => code === 0)].filter(
    (asExpected) => !asExpected,
  ).length;
  console.log(wrong === 0 ? `\nAll ${answers.length} answers as expected.` : `\n${wrong} not as expected.`);
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

async function serve(
  services: readonly DemoService[],
  tokens: Tokens,
  provider: DemoProvider,
): Promise<void> {
  for (const service of services) {
    const { framework, url } = service;
    const { friendsOf } = createCast(provider, tokens, service);
    const bob = (await friendsOf(tokens.alice)).find(({ name }) => name === 'bob');
    const message = JSON.stringify({ friendToken: bob?.friendToken, text: 'Hello, Bob' });
    console.log(`
# ${framework}
curl -i ${url}/health
curl -i ${url}/friends
curl -i ${url}/friends -H 'Authorization: Bearer ${tokens.alice}'
curl -i ${url}/admin -H 'Authorization: Bearer ${tokens.alice}'
curl -i ${url}/admin -H 'Authorization: Bearer ${tokens.bob}'
curl -i ${url}/token -H 'Content-Type: application/json' -d '{"user":"john","pass":"doe"}'
curl -i ${url}/messages -H 'Authorization: Bearer ${tokens.alice}' -H 'Content-Type: application/json' -d '${message}'`);
  }
  console.log(`
# A new token; tokens are valid for five minutes
curl -s ${provider.issuer}/token -u alice:alice-secret -d grant_type=client_credentials -d 'scope=friends:read messages:write'

The servers run until you press Ctrl-C.`);
  await new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await Promise.all(services.map(({ stop }) => stop()));
  await provider.stop();
}
