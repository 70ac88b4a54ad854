// A real OpenLDAP server on free loopback ports, with its own configuration, data and certificate.
// No test is here.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Certified } from './certificate.ts';
import { freePort } from './free-port.ts';

const SLAPD = '/usr/sbin/slapd';
const SLAPADD = '/usr/sbin/slapadd';
const SCHEMA = '/etc/ldap/schema';
const MODULES = '/usr/lib/ldap';

/** False if Debian's package `slapd` cannot be used. Tests of a real directory are skipped then. */
export const hasSlapd = canRun();
if (!hasSlapd) console.warn(`${SLAPD} cannot be used here: tests of a real OpenLDAP are skipped`);

export const SUFFIX = 'dc=example,dc=com';
export const READER = `cn=reader,${SUFFIX}`;
export const PASSWORD = 'canary-password-77c1';

/** An entry: its DN and its attributes. */
export type LdifEntry = readonly [
  dn: string,
  attributes: { readonly [name: string]: string | readonly string[] },
];

export interface SlapdOptions {
  readonly entries: readonly LdifEntry[];
  /** Directives before those of the database. */
  readonly global?: string;
  /** Directives of the database. Default: the reader may read everything, other users nothing. */
  readonly database?: string;
  /** The certificate for ldaps and StartTLS, and that of the authority. Default: no TLS. */
  readonly tls?: Certified & { readonly ca: string };
}

export interface Slapd {
  /** `ldap://localhost:PORT`. The port stays the same after `start()`. */
  readonly url: string;
  /** `ldaps://localhost:PORT`. */
  readonly secureUrl: string;
  readonly port: number;
  /** The server's log of operations: `conn=1000 op=1 SRCH base="…"`. */
  readonly log: readonly string[];
  /** Resolves to the next log line that contains this text. */
  logged(text: string): Promise<string>;
  /** Starts the server again. */
  start(): Promise<void>;
  /** Ends the process and waits until it has ended. Default: SIGKILL. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Stops the process: it keeps its connections and does not answer. `thaw` continues it. */
  freeze(): void;
  thaw(): void;
  /** Ends the process and deletes its files. */
  close(): Promise<void>;
}

/** Starts a server. */
export async function startSlapd({ entries, global = '', database, tls }: SlapdOptions): Promise<Slapd> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-slapd-'));
  const file = (name: string) => join(folder, name);
  mkdirSync(file('db'));
  const [port, securePort] = [await freePort(), await freePort()];
  if (tls !== undefined) {
    for (const name of ['ca', 'cert', 'key'] as const) writeFileSync(file(`${name}.pem`), tls[name]);
  }
  const tlsLines = [
    `TLSCACertificateFile ${file('ca.pem')}`,
    `TLSCertificateFile ${file('cert.pem')}`,
    `TLSCertificateKeyFile ${file('key.pem')}`,
  ];
  const access = `
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="${READER}" read by * none
limits dn.exact="${READER}" size.soft=500 size.hard=500 size.pr=500 size.prtotal=unlimited`;
  writeFileSync(
    file('slapd.conf'),
    `${['core', 'cosine', 'inetorgperson'].map((name) => `include ${SCHEMA}/${name}.schema`).join('\n')}
modulepath ${MODULES}
moduleload back_mdb
moduleload memberof
pidfile ${file('pid')}
${tls === undefined ? '' : tlsLines.join('\n')}
${global}
database mdb
maxsize 268435456
suffix "${SUFFIX}"
rootdn "cn=admin,${SUFFIX}"
directory ${file('db')}
dbnosync
index objectClass,uid,member,cn eq
${database ?? access}
`,
  );
  writeFileSync(file('data.ldif'), [...BASE, ...entries].map(ldifOf).join('\n'));
  execFileSync(SLAPADD, ['-q', '-f', file('slapd.conf'), '-l', file('data.ldif')], { stdio: 'pipe' });

  const lines = new EventEmitter<{ line: [string] }>();
  lines.setMaxListeners(0);
  const log: string[] = [];
  let server: ChildProcess | undefined;
  const slapd: Slapd = {
    url: `ldap://localhost:${port}`,
    secureUrl: `ldaps://localhost:${securePort}`,
    port,
    log,
    logged: (text) =>
      new Promise((resolve) => {
        const look = (line: string) => {
          if (!line.includes(text)) return;
          lines.off('line', look);
          resolve(line);
        };
        lines.on('line', look);
      }),
    async start() {
      const urls = [
        `ldap://127.0.0.1:${port}`,
        ...(tls === undefined ? [] : [`ldaps://127.0.0.1:${securePort}`]),
      ];
      const child = spawn(SLAPD, ['-f', file('slapd.conf'), '-h', urls.join(' '), '-d', 'stats'], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      server = child;
      const started = slapd.logged('slapd starting');
      createInterface(child.stderr).on('line', (line) => {
        log.push(line);
        lines.emit('line', line);
      });
      const ended = once(child, 'exit').then(() => {
        throw new Error(`slapd did not start: ${log.slice(-5).join('\n')}`);
      });
      ended.catch(() => {});
      await Promise.race([started, ended]);
      // slapd logs "starting" shortly before it listens.
      while (!(await listens(port))) await Promise.race([delay(5), ended]);
    },
    async kill(signal = 'SIGKILL') {
      const child = server;
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    },
    freeze: () => void server?.kill('SIGSTOP'),
    thaw: () => void server?.kill('SIGCONT'),
    async close() {
      await slapd.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await slapd.start();
  return slapd;
}

const BASE: readonly LdifEntry[] = [
  [SUFFIX, { objectClass: 'domain', dc: 'example' }],
  [
    READER,
    { objectClass: ['organizationalRole', 'simpleSecurityObject'], cn: 'reader', userPassword: PASSWORD },
  ],
];

/** RFC 2849, everything in base64. */
function ldifOf([dn, attributes]: LdifEntry): string {
  const line = (name: string, value: string) => `${name}:: ${Buffer.from(value, 'utf8').toString('base64')}`;
  const lines = Object.entries(attributes).flatMap(([name, values]) =>
    (typeof values === 'string' ? [values] : values).map((value) => line(name, value)),
  );
  return [line('dn', dn), ...lines, ''].join('\n');
}

/** False if slapd is missing, or if it cannot read our files, for example because of AppArmor. */
function canRun(): boolean {
  if (![SLAPD, SLAPADD, SCHEMA, MODULES].every((path) => existsSync(path))) return false;
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-slapd-'));
  try {
    const file = join(folder, 'slapd.conf');
    writeFileSync(file, `include ${SCHEMA}/core.schema\n`);
    execFileSync(SLAPD, ['-T', 'test', '-u', '-f', file], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const listening = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return listening;
}
