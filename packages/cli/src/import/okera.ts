// Imports Okera's settings, which are `KEY: value` lines. Core reads them, as it does for services,
// and the descriptor contains the result.
// Safer: an endpoint that gets tokens in clear is called over https.
import { ConfigError } from '@latchkey/core';
import { loadEnvironmentStart } from '@latchkey/core/own-keys';
import { misused } from '../failure.ts';
import { plain } from '../output.ts';
import { type Draft, quoted } from './draft.ts';
import { parseSource, type Source, type SourceNode } from './source.ts';

const NAMES = [
  'ENABLE_JWT',
  'JWT_PUBLIC_KEY',
  'JWT_ALGORITHM',
  'JWT_AUTHENTICATION_SERVER_URL',
  'JWT_AUTHENTICATION_SERVER_ALLOW_HTTP',
  'JWT_AUTHENTICATION_SERVER_SYSTEM',
  'SYSTEM_TOKEN',
] as const;
/** Without any of these, a service makes its own keys. */
const OWN = ['JWT_PUBLIC_KEY', 'JWT_ALGORITHM', 'JWT_AUTHENTICATION_SERVER_URL', 'SYSTEM_TOKEN'] as const;
const URL_NAME = 'JWT_AUTHENTICATION_SERVER_URL';

/** True for a file that looks like settings of Okera. */
export function isOkera(root: SourceNode): boolean {
  return root.isObject() && NAMES.some((name) => root.member(name) !== undefined);
}

/**
 * Adds settings to a draft. Reads the files that they name if they exist, because only these show
 * which key is that of the system.
 * @param directory the directory to which paths in the settings are relative
 * @throws Failure with the place
 */
export async function importOkera(draft: Draft, source: Source, directory: string): Promise<void> {
  // Parses the file again with every value as a string: `true` and `1` stay as written.
  const [root, another] = parseSource(source.text, source.name, 'failsafe').documents;
  if (root === undefined || another !== undefined) throw misused(`${source.name}: expected one document`);
  const environment = Object.fromEntries(
    NAMES.flatMap((name) => {
      const node = root.member(name);
      if (node === undefined || node.value === '') return [];
      return [[name, node.text().trim()]];
    }),
  );
  if (OWN.some((name) => environment[name] !== undefined)) await putSettings(draft, root, environment);
  else putOwn(draft, root, environment.ENABLE_JWT, directory);
  noteGroups(draft, root);
}

async function putSettings(
  draft: Draft,
  root: SourceNode,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const nodeOf = (name: string) => root.member(name) ?? root;
  // Plain http is made safe below, and who vouches for the system is said there.
  const { options, systemToken } = await load(root, {
    JWT_AUTHENTICATION_SERVER_SYSTEM: 'false',
    ...environment,
    JWT_AUTHENTICATION_SERVER_ALLOW_HTTP: 'true',
  });
  const allowsHttp = environment.JWT_AUTHENTICATION_SERVER_ALLOW_HTTP?.toLowerCase() === 'true';
  const keys = nodeOf('JWT_PUBLIC_KEY');
  draft.set(['keySets'], options.keySets, keys);
  const { remote } = options;
  if (remote !== undefined)
    putRemote(draft, nodeOf(URL_NAME), { ...remote, allowHttp: allowsHttp }, options.keySets.length > 0);
  putRest(draft, root, options);
  if (systemToken === undefined) return;
  const token = nodeOf('SYSTEM_TOKEN');
  draft.note(
    'no-equivalent',
    [],
    token,
    `this service calls others with the token in ${quoted(systemToken)}: createServiceFetch sends it`,
  );
  if (options.keySets.length === 0 && remote?.system !== true)
    draft.note(
      'check',
      ['remote'],
      token,
      'no key vouches for the system, so its tokens are refused here; remote.system: true lets the endpoint vouch for it',
    );
  if (options.keySets.length > 0 && !options.keySets.some(({ system }) => system === true))
    draft.note(
      'check',
      ['keySets'],
      token,
      'set system: true on the keyset whose key signs the system token: the token or the keys could not be read here',
    );
}

async function load(
  root: SourceNode,
  environment: Readonly<Record<string, string>>,
): ReturnType<typeof loadEnvironmentStart> {
  try {
    return await loadEnvironmentStart({ environment });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return (root.member(error.path) ?? root).refuse(plain(error.problem));
  }
}

type Remote = NonNullable<Awaited<ReturnType<typeof loadEnvironmentStart>>['options']['remote']>;

function putRemote(draft: Draft, node: SourceNode, remote: Remote, hasKeys: boolean): void {
  const { allowHttp, url, ...rest } = remote;
  const isClear = URL.canParse(url) && new URL(url).protocol === 'http:';
  const isHere = isClear && /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(url).hostname);
  const fixed = isClear && !isHere && allowHttp !== true;
  draft.set(['remote', 'url'], fixed ? url.replace(/^http:/i, 'https:') : url, node);
  if (fixed)
    draft.note(
      'safer',
      ['remote', 'url'],
      node,
      'was plain HTTP, which sends every token in clear; the old URL and allowHttp: true restore that',
    );
  else if (allowHttp === true) {
    draft.set(['remote', 'allowHttp'], true, node);
    draft.note('check', ['remote', 'allowHttp'], node, 'every token is sent in clear');
  }
  for (const [name, value] of Object.entries(rest)) draft.set(['remote', name], value, node);
  if (hasKeys)
    draft.note(
      'check',
      ['remote', 'onReject'],
      node,
      'a token that the endpoint refuses still passes by its key, as it did; deny refuses it',
    );
}

function putRest(
  draft: Draft,
  root: SourceNode,
  { audience, claims, groups, systemSubject }: Awaited<ReturnType<typeof loadEnvironmentStart>>['options'],
): void {
  draft.set(['audience'], audience, root);
  draft.note(
    'check',
    ['audience'],
    root,
    'the settings have no option for aud; set the audience of this service',
  );
  draft.set(['claims'], claims, root);
  draft.set(['groups'], groups, root);
  draft.set(['systemSubject'], systemSubject, root);
  draft.note(
    'safer',
    ['systemSubject'],
    root,
    'only a keyset with system: true speaks for this subject and grants reserved groups',
  );
  draft.note('safer', [], root, 'tokens without exp are refused; requireExp: false accepts them');
}

/**
 * Imports the keys that a service would make itself: the user makes them before, and the descriptor
 * names them.
 */
function putOwn(draft: Draft, root: SourceNode, enabled: string | undefined, directory: string): void {
  const node = root.member('ENABLE_JWT') ?? root;
  if (enabled === undefined || !/^true$/i.test(enabled))
    node.refuse('does not switch JWT on; there is nothing to import');
  const file = `${directory.replace(/\/$/, '')}/.auth/id_rsa.pub`;
  draft.set(['keySets'], [{ publicKeys: [{ file, algorithm: 'RS512' }], system: true }], node);
  draft.note(
    'check',
    ['keySets'],
    node,
    'no keys have been made: latchkey tokens init makes the keys and the system token',
  );
  putRest(draft, root, {
    keySets: [],
    audience: null,
    claims: { sub: { present: true } },
    groups: { reserved: ['root'] },
    systemSubject: 'okera',
  });
}

/**
 * Notes the settings of group resolvers, which are set in code because they have connections. The
 * settings may contain passwords, so only their names are printed.
 */
function noteGroups(draft: Draft, root: SourceNode): void {
  for (const [name, node] of root.left()) {
    if (!/LDAP|ACTIVE_DIRECTORY|^AD_|GROUP/i.test(name)) continue;
    draft.note(
      'no-equivalent',
      ['groups'],
      node,
      /LDAP|ACTIVE_DIRECTORY|^AD_/i.test(name)
        ? 'groups of a directory are set in code: groups.directory, with createLdapGroups of @latchkey/ldap'
        : 'groups of an endpoint are groups.endpoint, with {sub} in its url',
    );
  }
}
