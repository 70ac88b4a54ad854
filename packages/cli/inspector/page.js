// The page of `latchkey inspect`: asks its own server about a token, and shows the checks. Texts are
// set as text, never as HTML. The token stays in the field, and is sent to this server only.

import { startDecisions } from './decisions.js';

const SIGNS = { passed: '✓', failed: '✗', skipped: '–', unknown: '?' };
const TONES = { fresh: 'passed', stale: 'unknown', loading: 'skipped', idle: 'skipped', empty: 'failed' };
const secret = location.hash.slice(1);
const byId = (id) => document.getElementById(id);

/** Makes an element with a class, and with texts and elements in it. */
function made(name, className, ...content) {
  const element = document.createElement(name);
  if (className !== '') element.className = className;
  element.append(...content.filter((one) => one !== undefined));
  return element;
}

async function ask(path, question) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${secret}` },
    body: JSON.stringify(question),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message);
  return answer;
}

function say(text) {
  byId('said').textContent = text;
}

function show(outcome, verdict, text) {
  byId('result').className = `card ${outcome}`;
  byId('verdict').textContent = verdict;
  say(text);
  byId('verdict').focus();
}

/** Pairs of a term and its value, without those that are not there. */
function pairs(entries) {
  const list = made('dl', '');
  for (const [term, value] of entries)
    if (value !== undefined && value !== '') list.append(made('dt', '', term), made('dd', '', String(value)));
  return list;
}

function checkOf(check, depth) {
  const { outcome, about, expected, actual, detail, code, checks = [] } = check;
  const title = made('h3', '', made('span', 'spoken', `${outcome}: `), about, ' ');
  if (depth === 0) title.append(made('span', 'kind', check.check));
  const facts = pairs([
    ['expected', expected],
    ['actual', actual],
    ['why', detail],
    ['code', code],
  ]);
  const sign = made('span', 'mark', SIGNS[outcome]);
  sign.setAttribute('aria-hidden', 'true');
  const body = made('div', '', title, facts, checks.length === 0 ? undefined : listOf(checks, depth + 1));
  return made('li', `check ${outcome}`, sign, body);
}

function listOf(checks, depth) {
  const list = made('ol', 'checks', ...checks.map((check) => checkOf(check, depth)));
  // Without markers, some screen readers take it for no list.
  list.setAttribute('role', 'list');
  return list;
}

function explain({ explanation, content }) {
  const { allowed, status, code, detail, verified, checks } = explanation;
  const view = byId('checks');
  view.replaceChildren();
  // The check that has the code of the refusal decided. Later ones show what they would say.
  const index = checks.findIndex((check) => check.code !== undefined);
  const list = listOf(checks, 0);
  const decisive = list.children[index];
  if (!allowed && decisive !== undefined) {
    decisive.id = 'failed';
    decisive.tabIndex = -1;
    const jump = made('a', 'jump', `Go to the check that failed: ${checks[index].about}`);
    jump.href = '#failed';
    jump.addEventListener('click', (event) => {
      // The secret after # stays.
      event.preventDefault();
      decisive.focus();
    });
    view.append(jump);
  }
  if (!verified && content !== undefined)
    view.append(
      made('p', 'warning', 'No trusted key has signed this token: anybody may have written its claims.'),
    );
  view.append(list);
  if (content !== undefined)
    view.append(
      made(
        'details',
        '',
        made('summary', '', 'What the token says'),
        made('pre', '', JSON.stringify(content, null, 2)),
      ),
    );
  const outcome = allowed ? 'passed' : status === 503 ? 'unknown' : 'failed';
  const verdict = allowed ? 'Allowed' : status === 503 ? 'Cannot be decided: 503' : `Refused: ${status}`;
  const why = allowed ? 'Every check has passed.' : `${code}${detail === undefined ? '' : `: ${detail}`}`;
  show(outcome, verdict, why);
}

function ageOf(ms) {
  if (ms === undefined) return undefined;
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

function keysetOf({ keyset, issuer, source, state, kids, ageMs, failures, lastError, nextAttemptInMs }) {
  const badge = made('span', `badge ${TONES[state] ?? 'skipped'}`, state);
  return made(
    'li',
    '',
    made('h3', '', keyset, badge),
    pairs([
      ['issuer', issuer ?? 'any that no other keyset names'],
      ['source', source],
      ['keys', kids.length === 0 ? 'none' : kids.map((kid) => kid ?? '(no kid)').join(', ')],
      ['read', ageMs === undefined ? 'not yet' : `${ageOf(ageMs)} ago`],
      ['next', nextAttemptInMs === undefined ? undefined : `in ${ageOf(nextAttemptInMs)}`],
      ['failures', failures === 0 ? undefined : failures],
      ['error', lastError],
    ]),
  );
}

async function refresh() {
  const { file, routes, keysets, service } = await ask('/state', {});
  byId('file').textContent = `Explains tokens by ${file}. Nothing leaves this machine.`;
  const select = byId('route');
  if (select.options.length === 1) for (const route of routes) select.add(new Option(route, route));
  byId('keysets').replaceChildren(...keysets.map(keysetOf));
  startDecisions(service, ask);
}

byId('ask').addEventListener('submit', async (event) => {
  event.preventDefault();
  const { token, route, at } = event.target.elements;
  const button = event.target.querySelector('button');
  button.setAttribute('aria-busy', 'true');
  try {
    const asked = { token: token.value };
    if (route.value !== '') asked.route = route.value;
    if (at.value !== '') asked.at = new Date(at.value).getTime();
    explain(await ask('/explain', asked));
    await refresh();
  } catch (error) {
    byId('checks').replaceChildren();
    show('unknown', 'No answer', error.message);
  } finally {
    button.removeAttribute('aria-busy');
  }
});

// Enter makes a new line in the field; with Ctrl or Cmd it asks.
byId('token').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) byId('ask').requestSubmit();
});

byId('refresh').addEventListener('click', () => {
  refresh().catch((error) => say(error.message));
});

document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  byId('verdict').focus();
});

refresh().catch((error) => show('unknown', 'No answer', error.message));
