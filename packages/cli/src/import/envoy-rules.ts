// Reads the rules of Envoy's filter: which requests need what. Each becomes a named route, if they
// differ; the application says where the route applies.
import { type Draft, quoted } from './draft.ts';
import { type Requirement, readRequirement } from './envoy-requirements.ts';
import { field, oneField } from './fields.ts';
import type { SourceNode } from './source.ts';

/** What some requests need. */
export interface Entry {
  /** The name of its route: `GET /users`, `/users*`, or the name of a requirement. */
  readonly name: string;
  readonly node: SourceNode;
  readonly requirement: Requirement;
}

interface Match {
  /** Undefined: all methods. */
  readonly method: string | undefined;
  /** How the path is compared, and with what. */
  readonly form: (typeof PATHS)[number];
  readonly text: string | undefined;
  /** The path, for people. */
  readonly path: string;
  /** The conditions that are not in these. */
  readonly others: readonly string[];
}

const PATHS = [
  'prefix',
  'path',
  'safe_regex',
  'connect_matcher',
  'path_separated_prefix',
  'path_match_policy',
] as const;
/** The forms whose paths all begin with the text. */
const LITERAL: ReadonlySet<string> = new Set(['prefix', 'path', 'path_separated_prefix']);
const OPEN_HERE = 'here a route is open where the code says so';

/** Reads the entries of a filter that need a token. @throws Failure with the place */
export function readEntries(
  draft: Draft,
  filter: SourceNode,
  isProvider: (name: string) => boolean,
): readonly Entry[] {
  const read = (node: SourceNode) => readRequirement(draft, node, isProvider);
  const map = field(filter, 'requirement_map')?.members() ?? [];
  const named = new Map(map.map(([name, node]) => [name, { name, node, requirement: read(node) }] as const));
  const used = new Set<string>();
  const byName = (node: SourceNode): Requirement => {
    used.add(node.text());
    return (named.get(node.text()) ?? node.refuse('is not in requirement_map')).requirement;
  };
  const dynamic = field(filter, 'filter_state_rules');
  // Two of the lists may have the same name, and each entry becomes a route of its own.
  const nameOnce = createNames();
  const once = (entry: Entry): Entry => ({ ...entry, name: nameOnce(entry.name) });
  const requirementOf = (rule: SourceNode): Requirement => {
    const [form, node] = oneField(rule, ['requires', 'requirement_name']) ?? [];
    if (node === undefined) return { uses: [], mode: undefined };
    return form === 'requires' ? read(node) : byName(node);
  };
  const rules = readRules(draft, filter, dynamic !== undefined, requirementOf).map(once);
  return [
    ...rules,
    ...chosen(
      draft,
      readDynamic(dynamic, read).map(once),
      'another filter chose by the state of the request',
    ),
    ...chosen(
      draft,
      [...named].filter(([name]) => !used.has(name)).map(([, entry]) => once(entry)),
      'routes of the gateway chose by name',
    ),
  ].filter(({ name, node, requirement: { mode } }) => {
    if (mode === undefined)
      draft.note('safer', [], node, `${quoted(name)} is open at the gateway; ${OPEN_HERE}`);
    return mode !== undefined;
  });
}

/** Returns each name as it is, or with a number if it was there before. */
function createNames(): (name: string) => string {
  const taken = new Set<string>();
  return (name) => {
    let own = name;
    for (let count = 2; taken.has(own); count++) own = `${name} (${count})`;
    taken.add(own);
    return own;
  };
}

function readDynamic(
  dynamic: SourceNode | undefined,
  read: (node: SourceNode) => Requirement,
): readonly Entry[] {
  dynamic?.member('name');
  const members = dynamic?.member('requires')?.members() ?? [];
  return members.map(([name, node]) => ({ name, node, requirement: read(node) }));
}

/** Entries that something other than the rules chooses. */
function chosen(draft: Draft, entries: readonly Entry[], by: string): readonly Entry[] {
  const [first] = entries;
  if (first !== undefined)
    draft.note(
      'check',
      [],
      first.node,
      `${by}: ${entries.map(({ name }) => quoted(name)).join(', ')}; here the code names the route`,
    );
  return entries;
}

function readRules(
  draft: Draft,
  filter: SourceNode,
  hasDynamic: boolean,
  read: (rule: SourceNode) => Requirement,
): readonly Entry[] {
  const entries: Entry[] = [];
  const rules = filter.member('rules')?.items() ?? [];
  const before: Match[] = [];
  for (const [index, rule] of rules.entries()) {
    const match = readMatch(rule, index);
    const { method, path, others } = match;
    const name = method === undefined ? path : `${method} ${path}`;
    const requirement = read(rule);
    for (const [, left] of rule.left()) left.refuse('is an unknown member of a rule');
    // The first rule that matches decides.
    if (before.some((one) => covers(one, match))) {
      draft.note('no-equivalent', [], rule, 'has no effect: a rule before it matches all of its requests');
      continue;
    }
    before.push(match);
    if (others.length > 0)
      draft.note(
        'no-equivalent',
        [],
        rule,
        `this rule also depends on ${others.map(quoted).join(', ')}; the code must choose its route by that`,
      );
    entries.push({ name, node: rule, requirement });
  }
  const rest: Match = { method: undefined, form: 'prefix', text: '/', path: '/*', others: [] };
  if (rules.length > 0 && !hasDynamic && !before.some((one) => covers(one, rest)))
    draft.note(
      'safer',
      [],
      filter.member('rules') ?? filter,
      `requests that match no rule are open at the gateway; ${OPEN_HERE}`,
    );
  return entries;
}

function readMatch(rule: SourceNode, index: number): Match {
  const match = rule.member('match') ?? rule.refuse('expected a match');
  const [form, node] = oneField(match, PATHS) ?? match.refuse(`expected one of ${PATHS.join(', ')}`);
  const headers = match.member('headers')?.items() ?? [];
  const methods = headers.map(methodOf);
  const [method] = methods.filter((one) => one !== undefined);
  const isCaseless = field(match, 'case_sensitive')?.value === false;
  const others = [
    ...headers.filter((_, at) => methods[at] === undefined || methods[at] !== method).map(nameOfHeader),
    ...match.left().map(([name]) => name),
  ];
  const text = textOf(form, node);
  return {
    method,
    form,
    text,
    path: pathOf(form, text) ?? `rule ${index + 1}`,
    others: isCaseless ? [...others, 'case_sensitive'] : others,
  };
}

/** True if the earlier of two rules matches every request that the later one matches. */
function covers(earlier: Match, later: Match): boolean {
  if (earlier.others.length > 0) return false;
  if (earlier.method !== undefined && earlier.method !== later.method) return false;
  const { form, text } = earlier;
  if (form === later.form && text === later.text) return text !== undefined || form === 'connect_matcher';
  const begins = LITERAL.has(later.form) ? (later.text ?? '') : '';
  if (text === undefined) return false;
  if (form === 'path_separated_prefix')
    return begins.startsWith(`${text}/`) || (begins === text && later.form !== 'prefix');
  // Every path starts with a slash, and a CONNECT has no path.
  return form === 'prefix' && (begins.startsWith(text) || (text === '/' && later.form !== 'connect_matcher'));
}

/** What the path is compared with. */
function textOf(form: (typeof PATHS)[number], node: SourceNode): string | undefined {
  switch (form) {
    case 'path':
    case 'prefix':
    case 'path_separated_prefix':
      return node.value === '' ? '' : node.text();
    case 'safe_regex':
      field(node, 'google_re2');
      return (node.member('regex') ?? node.refuse('expected regex')).text();
    case 'connect_matcher':
      return undefined;
    case 'path_match_policy': {
      const config = field(node, 'typed_config');
      return config === undefined ? undefined : field(config, 'path_template')?.text();
    }
  }
}

function pathOf(form: (typeof PATHS)[number], text: string | undefined): string | undefined {
  if (form === 'connect_matcher') return 'CONNECT';
  if (form === 'prefix') return `${text}*`;
  return form === 'path_separated_prefix' ? `${text}/*` : text;
}

function nameOfHeader(header: SourceNode): string {
  return `the header ${(header.member('name') ?? header.refuse('expected a name')).text()}`;
}

/** Returns the method that a matcher of a header requires; undefined for any other matcher. */
function methodOf(header: SourceNode): string | undefined {
  if (header.member('name')?.value !== ':method' || field(header, 'invert_match')?.value === true)
    return undefined;
  const exact = field(header, 'exact_match') ?? field(header, 'string_match')?.member('exact');
  return exact?.text();
}
