// Builds docs/errors.md: every refusal, warning and event, with the text of its TSDoc in core. It
// does not write the file.
import { readFileSync } from 'node:fs';
import { AuthError } from '@latchkey/core';
import { authErrorCodes } from '@latchkey/core/adapter';
import { type Member, membersOf } from './members.ts';

const ERRORS = 'packages/core/src/errors.ts';
const EVENTS = 'packages/core/src/events.ts';

/** Builds the page. @throws Error if the TSDoc of a code or an event has no meaning */
export function errorsPage(): string {
  const [errors, events] = [ERRORS, EVENTS].map((file) => readFileSync(file, 'utf8'));
  const codes = membersOf(errors ?? '', 'AuthErrorCodes');
  const warnings = membersOf(events ?? '', 'WARNING_TYPES');
  const channels = membersOf(events ?? '', 'LatchkeyEvents');
  return `# Errors, warnings and events

## Refusals: \`AuthError\`

Why a request was refused, as \`error.code\`. The client gets the status, the message, \`Cache-Control:
no-store\` and a \`WWW-Authenticate\` challenge with the OAuth error (RFC 6750). A 503 has
\`Retry-After\` instead of a challenge, and \`origin_refused\` and
\`transport_insecure\` have neither. The message is the same for every request; \`error.detail\` and
\`error.cause\` are for logs, and hold no token and no key. For one token, \`latchkey explain\` shows
every check.

${table(
  ['code', 'answer', 'meaning', 'what to do next'],
  authErrorCodes.map((code) => refusalRow(found(codes, code))),
)}

## Errors at start: \`ConfigError\`

Options that cannot be right are refused when they are read, never at a request. \`error.path\` is the
option as you wrote it (\`keySets[1].jwksUrl\`), \`error.problem\` says what is wrong, and \`error.place\`
has file, line and column for options from a descriptor.

## Process warnings

Node writes them to standard error; \`process.on('warning', (warning) => …)\` gets them too, with
\`warning.code\`.

${table(
  ['code', 'type', 'meaning', 'what to do next'],
  warnings.map((member) => {
    const { name, written, meaning, remarks } = documented(member, ['meaning', 'remarks']);
    return [code(name), code(written.replaceAll("'", '')), meaning, remarks];
  }),
)}

## Events

Channels of \`node:diagnostics_channel\`: \`subscribe('latchkey:keyset:failed', (event) => …)\`. The
types are in \`LatchkeyEvents\`. No event holds a token or a key.

${table(
  ['channel', 'meaning', 'payload'],
  channels.map((member) => {
    const { name, meaning, fields } = documented(member, ['meaning']);
    const payload = fields.map((field) => code(`${field.name}: ${field.written}`));
    return [code(name), meaning, payload.join(', ')];
  }),
)}

${table(['field', 'meaning'], fieldRows(channels))}
`;
}

function refusalRow(member: Member): readonly string[] {
  const { name, meaning, remarks } = documented(member, ['meaning', 'remarks']);
  const { status, message, headers } = new AuthError(name as ConstructorParameters<typeof AuthError>[0]);
  const [, oauthError] = /error="([^"]*)"/.exec(headers['WWW-Authenticate'] ?? '') ?? [];
  const answer = oauthError === undefined ? `${status}` : `${status} ${code(oauthError)}`;
  return [code(name), `${answer}: ${message}`, meaning, remarks];
}

/** The fields that have TSDoc, each once. */
function fieldRows(channels: readonly Member[]): readonly (readonly string[])[] {
  const meanings = new Map(
    channels.flatMap(({ fields }) => fields).map(({ name, meaning }) => [name, meaning]),
  );
  return [...meanings]
    .filter(([, meaning]) => meaning !== '')
    .map(([name, meaning]) => [code(name), meaning]);
}

function found(members: readonly Member[], name: string): Member {
  const member = members.find((each) => each.name === name);
  if (member === undefined) throw new Error(`expected a declaration of ${name}`);
  return member;
}

function documented(member: Member, parts: readonly ('meaning' | 'remarks')[]): Member {
  for (const part of parts)
    if (member[part] === '') throw new Error(`${member.name}: expected a ${part} in the TSDoc; write it`);
  return member;
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
