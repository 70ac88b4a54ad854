// `latchkey inspect`: serves a page on loopback that explains tokens. The page and its server are
// in inspector/.
import { once } from 'node:events';
import { type Command, Option } from 'commander';
import { type Context, command, type FileOptions, withFile } from '../context.ts';
import { openDecision } from '../decision-options.ts';
import { misused } from '../failure.ts';
import { createAskedClock } from '../inspector/clock.ts';
import { serveInspector } from '../inspector/server.ts';
import { type InspectedService, inspectedService } from '../inspector/service.ts';
import { readKeyInput } from './secrets-files.ts';

interface InspectOptions extends FileOptions {
  readonly externalSecrets?: string;
  readonly port: number;
  readonly service?: string;
  readonly serviceToken?: string;
}

/** Makes the command. */
export function inspect(context: Context): Command {
  const made = command(
    'inspect',
    'Serve a page on this machine that explains tokens: paste one, choose a route and a time.',
    [
      'latchkey inspect',
      'latchkey inspect --file service.yaml --port 4000',
      'latchkey inspect --service http://127.0.0.1:3000/decisions',
    ],
  )
    .addOption(
      new Option('--port <number>', 'the port on 127.0.0.1; 0 is any free one').default(0).argParser(portOf),
    )
    .addOption(new Option('--external-secrets <directory>', 'the directory of external secrets'))
    .addOption(
      new Option('--service <url>', 'show the last decisions of a running service that has recentDecisions'),
    )
    .addOption(
      new Option(
        '--service-token <file>',
        'a file with the token that --service needs; - reads it from standard input',
      ),
    );
  return withFile(made).action(async (options: InspectOptions) => {
    const { file, secrets, externalSecrets, port } = options;
    const service = await serviceOf(context, options);
    const clock = createAskedClock();
    const { authenticator, routes } = await openDecision(context, { file, secrets, externalSecrets }, clock);
    try {
      const inspector = await serveInspector({ authenticator, clock, routes, file, service }, port);
      void authenticator.start();
      context.output.result('text', () => inspector.url, inspector.url);
      context.output.note('open this URL in a browser of this machine; Ctrl+C ends the inspector');
      await Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal)));
      await inspector.close();
    } finally {
      await authenticator.close();
    }
  });
}

async function serviceOf(
  context: Context,
  { service, serviceToken }: Pick<InspectOptions, 'service' | 'serviceToken'>,
): Promise<InspectedService | undefined> {
  if (service === undefined) {
    if (serviceToken !== undefined) throw misused('--service-token: expected --service next to it');
    return undefined;
  }
  if (serviceToken === undefined) return inspectedService(service);
  const read = async () => tokenIn(await readKeyInput(context, serviceToken));
  // A wrong file is told at once. It is read again each time, because tokens expire.
  const first = await read();
  return inspectedService(service, serviceToken === '-' ? async () => first : read);
}

/** @throws Failure for what a header cannot carry */
function tokenIn(bytes: Uint8Array): string {
  const token = Buffer.from(bytes).toString('utf8').trim();
  if (!/^[\w.~+/=-]+$/.test(token))
    throw misused('--service-token: expected a file with a token and nothing else');
  return token;
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw misused('--port: expected a number up to 65535');
  return port;
}
