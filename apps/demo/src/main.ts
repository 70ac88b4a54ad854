// The demo end to end: a real provider, a service per framework, valid and invalid tokens, and a
// table of the answers. `--serve` keeps the servers running and prints curl commands instead.
import { about, askAsMcpClient } from './mcp.ts';
import { audience, type DemoProvider, startProvider } from './provider.ts';
import { commandsFor, newToken, settings } from './serve.ts';
import { type DemoService, frameworks, startService } from './service.ts';
import { type Cast, createCast, getTokens, type Step, stories, type Tokens } from './story.ts';
import { type Answer, headOf, isExpected, type Outcome, recapOf, rowOf } from './table.ts';

console.log('Starting an OpenID provider (oidc-provider) and six services …');
const provider = await startProvider();
console.log(`  provider  ${provider.issuer}`);
const services = await Promise.all(
  frameworks.map((framework) => startService(framework, { issuer: provider.issuer, audience })),
);
for (const { framework, url } of services) console.log(`  ${framework.padEnd(8)}  ${url}`);
const tokens = await getTokens(provider);

if (process.argv.includes('--serve')) await serve(services, tokens, provider);
else await tell(services, tokens, provider);

async function tell(services: readonly DemoService[], tokens: Tokens, provider: DemoProvider): Promise<void> {
  const names = services.map(({ framework }) => framework);
  const casts = services.map((service) => ({
    url: service.url,
    cast: createCast(provider, tokens, service),
  }));
  const outcomes: Outcome[] = [];
  for (const { about, steps } of stories) {
    console.log(headOf(about, names));
    for (const step of steps) {
      await step.before?.(provider);
      const answers = await Promise.all(casts.map(({ cast, url }) => take(step, cast, url)));
      outcomes.push({ step, answers });
      for (const line of rowOf({ step, answers }, names)) console.log(line);
    }
  }
  const mcp = await askAsMcpClient();
  console.log(headOf(about, ['mcp']));
  for (const line of mcp.outcomes.flatMap((outcome) => rowOf(outcome, ['mcp']))) console.log(line);
  const exitCodes = await Promise.all(services.map(({ stop }) => stop()));
  const unclean = [
    ...names.filter((_, index) => exitCodes[index] !== 0),
    ...(mcp.exitCode === 0 ? [] : ['mcp']),
  ];
  const all = [...outcomes, ...mcp.outcomes].flatMap(({ step, answers }) =>
    answers.map((answer) => isExpected(step, answer)),
  );
  const wrong = all.filter((asExpected) => !asExpected).length + unclean.length;
  if (wrong === 0)
    return console.log(`\nAll ${all.length} answers are as expected, and all services stopped cleanly.`);
  console.log(`\n${wrong} not as expected:`);
  for (const line of [...recapOf(outcomes, names), ...recapOf(mcp.outcomes, ['mcp'])]) console.log(line);
  for (const name of unclean) console.log(`     ${name} did not exit with code 0 after SIGTERM`);
  process.exitCode = 1;
}

async function take(step: Step, cast: Cast, url: string): Promise<Answer> {
  try {
    return await ask(step, cast, url);
  } catch (error) {
    return { status: undefined, fault: String(error) };
  }
}

async function ask(
  { method, path, token, headers: given, body }: Step,
  cast: Cast,
  url: string,
): Promise<Answer> {
  const headers: Record<string, string> = { ...(await given?.(cast)) };
  if (token !== undefined) headers.authorization = `Bearer ${await token(cast)}`;
  const content = await body?.(cast);
  if (content !== undefined) headers['content-type'] = 'application/json';
  const response = await fetch(`${url}${path}`, {
    method,
    headers,
    body: content === undefined ? null : JSON.stringify(content),
    signal: AbortSignal.timeout(10_000),
  });
  const { status } = response;
  const challenge = response.headers.get('www-authenticate') ?? undefined;
  const { code } = (await response.json().catch(() => ({}))) as { readonly code?: string };
  return { status, code, challenge };
}

async function serve(
  services: readonly DemoService[],
  tokens: Tokens,
  provider: DemoProvider,
): Promise<void> {
  console.log(settings(tokens));
  for (const service of services) {
    const friends = await createCast(provider, tokens, service).friendsOf(tokens.alice);
    const friendToken = friends.find(({ name }) => name === 'bob')?.friendToken ?? '';
    console.log(commandsFor({ ...service, friendToken }));
  }
  console.log(newToken(provider.issuer));
  await new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await Promise.all(services.map(({ stop }) => stop()));
  await provider.stop();
}
