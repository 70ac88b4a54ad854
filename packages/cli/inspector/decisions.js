// The last decisions of a running service, as a table. Texts are set as text, never as HTML.

const TONES = { accepted: 'passed', anonymous: 'skipped', refused: 'failed' };
const COLUMNS = ['Time', 'Outcome', 'Code', 'Route', 'Issuer', 'Framework', 'Took', 'From cache'];
const byId = (id) => document.getElementById(id);

/** A cell. On a narrow screen, a row is a card, so each cell has the name of its column. */
function cellOf(column, content) {
  const isTime = column === 'Time';
  const cell = document.createElement(isTime ? 'th' : 'td');
  if (isTime) cell.scope = 'row';
  // The layout of cards would take the roles of a table away.
  cell.setAttribute('role', isTime ? 'rowheader' : 'cell');
  cell.dataset.column = column;
  cell.append(content);
  return cell;
}

function rowOf({ time, outcome, code, status, route, issuer, framework, durationMs, cached }) {
  const at = document.createElement('time');
  at.dateTime = time;
  at.textContent = timeText(time);
  const badge = document.createElement('span');
  badge.className = `badge ${TONES[outcome]}`;
  badge.textContent = status === undefined ? outcome : `${outcome}: ${status}`;
  const contents = [
    at,
    badge,
    code ?? 'none',
    route ?? 'not known',
    issuer ?? 'not known',
    framework ?? 'not known',
    `${durationMs.toFixed(2)} ms`,
    cached ? 'yes' : 'no',
  ];
  const row = document.createElement('tr');
  row.setAttribute('role', 'row');
  row.append(...contents.map((content, index) => cellOf(COLUMNS[index], content)));
  return row;
}

function timeText(time) {
  const date = new Date(time);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? date.toLocaleTimeString() : date.toLocaleString();
}

function head() {
  const row = document.createElement('tr');
  row.setAttribute('role', 'row');
  for (const column of COLUMNS) {
    const cell = document.createElement('th');
    cell.scope = 'col';
    cell.setAttribute('role', 'columnheader');
    cell.textContent = column;
    row.append(cell);
  }
  byId('decisions-head').replaceChildren(row);
  byId('decisions-table').setAttribute('role', 'table');
  for (const part of ['head', 'rows']) byId(`decisions-${part}`).setAttribute('role', 'rowgroup');
}

function say(text) {
  byId('decisions-said').textContent = text;
}

function show({ recent, problem }) {
  const { total = 0, since = '', decisions = [] } = recent ?? {};
  byId('decisions-rows').replaceChildren(...decisions.map(rowOf));
  byId('decisions-table').hidden = decisions.length === 0;
  byId('decisions').classList.toggle('problem', problem !== undefined);
  if (problem !== undefined) say(problem);
  else if (decisions.length === 0) say('No request has been decided since the service started.');
  else
    say(
      `The last ${decisions.length} of ${total} decisions since ${timeText(since)}, read at ${new Date().toLocaleTimeString()}.`,
    );
}

/**
 * Shows the decisions, and reads them again when the button is pressed.
 * @param service its URL; undefined: there is none
 * @param ask sends a question to the server of this page
 */
export function startDecisions(service, ask) {
  const section = byId('decisions');
  if (service === undefined || !section.hidden) return;
  section.hidden = false;
  byId('decisions-service').textContent = service;
  head();
  const button = byId('decisions-refresh');
  const read = async () => {
    button.setAttribute('aria-busy', 'true');
    try {
      show(await ask('/decisions', {}));
    } catch (error) {
      show({ problem: error.message });
    } finally {
      button.removeAttribute('aria-busy');
    }
  };
  button.addEventListener('click', read);
  read();
}
