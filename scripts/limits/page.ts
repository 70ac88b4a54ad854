// docs/limits.md, from the rows and the constants of the code.
import { amountOf, type NumericConstant, numericConstants } from './read.ts';
import { LIMITS, type LimitRow } from './rows.ts';

/** The text of docs/limits.md. @param root of the repository */
export function limitsPage(root: string): string {
  const constants = numericConstants(root);
  const tables = LIMITS.map(
    ({ title, rows }) =>
      `## ${title}\n\n| what | how much | beyond it | set by | where |\n| --- | --- | --- | --- | --- |\n${rows
        .map((row) => lineOf(row, constants))
        .join('\n')}\n`,
  );
  return `# Limits

Every bound of the product: how much of something there may be, and what happens beyond. The amounts
are read from the code by \`pnpm tables\`, and each has a test that goes over it
(\`scripts/limits/rows.ts\` names it). What has no option is fixed.

${tables.join('\n')}`;
}

function lineOf(row: LimitRow, constants: readonly NumericConstant[]): string {
  const set = row.option === undefined ? '' : `\`${row.option}\``;
  const [file = '', name] = row.at.includes('#') ? row.at.split('#') : [row.at.slice(0, row.at.indexOf(':'))];
  const where = `\`${file.replace(/^packages\//, '').replace('/src/', '/')}\`${name === undefined ? '' : `, \`${name}\``}`;
  return `| ${row.what} | ${howMuch(row, constants)} | ${row.beyond} | ${set} | ${where} |`;
}

/** The amount of a row. @throws Error for a constant that is not in the code */
function howMuch({ at, unit }: LimitRow, constants: readonly NumericConstant[]): string {
  if (!at.includes('#')) return unit;
  const found = constants.find(({ file, name }) => `${file}#${name}` === at);
  if (found === undefined) throw new Error(`expected a numeric constant at ${at}`);
  return amountOf(found.value, unit);
}
