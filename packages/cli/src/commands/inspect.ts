// `latchkey inspect`: serves a page on loopback that explains tokens. The page and its server are
// in inspector/.
import { once } from 'node:events';
import { type Command, Option } from 'commander';
import { type Context, command, type FileOptions, withFile } from '../context.ts';
import { openDecision } from '../decision-options.ts';
import { misused } from '../failure.ts';
import { createAskedClock } from '../inspector/clock.ts';
import { serveInspector } from '../inspector/server.ts';

interface InspectOptions extends FileOptions {
  readonly externalSecrets?: string;
  readonly port: number;
}

/** Makes the command. */
export function inspect(context: Context): Command {
  const made = command(
    'inspect',
    'Serve a page on this machine that explains tokens: paste one, choose a route and a time.',
    ['latchkey inspect', 'latchkey inspect --file service.yaml --port 4000'],
  )
    .addOption(
      new Option('--port <number>', 'the port on 127.0.0.1; 0 is any free one').default(0).argParser(portOf),
    )
    .addOption(new Option('--external-secrets <directory>', 'the directory of external secrets'));
  return withFile(made).action(async (options: InspectOptions) => {
    const { file, secrets, externalSecrets, port } = options;
    const clock = createAskedClock();
    const { authenticator, routes } = await openDecision(context, { file, secrets, externalSecrets }, clock);
    try {
      const inspector = await serveInspector({ authenticator, clock, routes, file }, port);
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

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw misused('--port: expected a number up to 65535');
  return port;
}
