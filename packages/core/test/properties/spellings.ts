// JSON texts that are written in another way than JSON.stringify writes them: some mean the same,
// some are not JSON, and some are what two parsers may read differently.
import type { Member, Mutation } from './mutations.ts';

type Spelling = (Mutation & { kind: 'spelling' })['how'];

const escaped = (text: string) => `\\u${text.charCodeAt(0).toString(16).padStart(4, '0')}${text.slice(1)}`;

const written = ([name, json]: Member) => `${JSON.stringify(name)}:${json}`;

const objectOf = (...members: readonly string[]) => `{${members.join(',')}}`;

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

/**
 * Writes an object of these members.
 * @param at which member or place the spelling concerns
 */
export function spelled(members: readonly Member[], how: Spelling, at: number): Buffer {
  const all = members.map(written);
  const plain = objectOf(...all);
  const chosen: Member = members[at % members.length] ?? ['a', '1'];
  const [name, json] = chosen;
  /** All members, with other texts for the chosen one. */
  const instead = (...texts: readonly string[]) =>
    objectOf(...members.flatMap((one) => (one === chosen ? texts : [written(one)])));
  const withText = (text: string) => objectOf(...all, `"more":${text}`);
  const bytes = (...middle: readonly number[]) =>
    Buffer.concat([Buffer.from(`${plain.slice(0, -1)},"more":"`), Buffer.from(middle), Buffer.from('"}')]);
  switch (how) {
    case 'spaces':
      return Buffer.from(`{ ${all.join(' ,\n\t')}\r\n}`);
    case 'white space around':
      return Buffer.from(` \t\r\n${plain}\n `);
    case 'reordered':
      return Buffer.from(objectOf(...all.toReversed()));
    case 'escaped name':
      return Buffer.from(instead(`"${escaped(name)}":${json}`));
    case 'escaped value':
      return Buffer.from(
        instead(`"${name}":${json.replace(/^"([^"\\])/, (_, first) => `"${escaped(first)}`)}`),
      );
    case 'escaped slash':
      return Buffer.from(plain.replaceAll('/', '\\/'));
    case 'repeated':
      return Buffer.from(objectOf(...all, written(chosen)));
    case 'repeated with another value':
      return Buffer.from(objectOf(`${JSON.stringify(name)}:"other"`, ...all));
    case 'repeated with escapes':
      return Buffer.from(objectOf(...all, `"${escaped(name)}":${json}`));
    case 'repeated inside':
      return Buffer.from(withText('[{"a":1,"b":2,"a":1}]'));
    case '__proto__ twice':
      return Buffer.from(objectOf('"__proto__":1', ...all, '"__proto__":{}'));
    case 'byte order mark':
      return Buffer.from(`\ufeff${plain}`);
    case 'UTF-16':
      return Buffer.from(plain, 'utf16le');
    case 'byte FF':
      return bytes(0xff);
    case 'overlong':
      return bytes(0xc0, 0xaf);
    case 'encoded surrogate':
      return bytes(0xed, 0xa0, 0x80);
    case 'escaped surrogate':
      return Buffer.from(withText('"\\uD800x"'));
    case 'surrogate in a name':
      return Buffer.from(objectOf(...all, '"\\udc00":1'));
    case 'comma at the end':
      return Buffer.from(`${plain.slice(0, -1)},}`);
    case 'comment':
      return Buffer.from(`{/* */${plain.slice(1)}`);
    case 'single quotes':
      return Buffer.from(plain.replaceAll('"', "'"));
    case 'text after':
      return Buffer.from(`${plain}x`);
    case 'another object':
      return Buffer.from(plain + plain);
    case 'cut':
      return Buffer.from(plain.slice(0, -1 - at));
    case 'leading zero':
      return Buffer.from(withText('01'));
    case 'plus':
      return Buffer.from(withText('+1'));
    case 'NaN':
      return Buffer.from(withText('NaN'));
    case 'TRUE':
      return Buffer.from(withText('TRUE'));
    case 'line feed in a text':
      return Buffer.from(withText('"a\nb"'));
    case 'wrong escape':
      return Buffer.from(withText('"\\x41"'));
    case 'no-break space':
      return Buffer.from(`{\u00a0${plain.slice(1)}`);
    case 'form feed':
      return Buffer.from(`\f${plain}`);
    case 'NUL after':
      return Buffer.from(`${plain}\0`);
    case 'array':
      return Buffer.from(`[${plain}]`);
    case 'text':
      return Buffer.from(JSON.stringify(plain));
    case 'number':
      return Buffer.from('1');
    case 'null':
      return Buffer.from('null');
    case 'deep enough':
      return Buffer.from(withText(nested(31 - (at % 3))));
    case 'too deep':
      return Buffer.from(withText(nested(32 + (at % 3))));
    case 'empty object':
      return Buffer.from('{}');
  }
}
