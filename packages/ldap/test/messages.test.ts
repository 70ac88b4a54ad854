// The strict reader of what a directory sends.
import { describe, expect, it, vi } from 'vitest';
import { createMessageReader, MAX_ELEMENTS } from '../src/messages.ts';
import { entry, message, reference, result } from './fake.ts';

const read = (...chunks: readonly Uint8Array[]) => {
  const reader = createMessageReader();
  return chunks.flatMap((chunk) => reader.push(Buffer.from(chunk)));
};
const refuses = (bytes: Uint8Array) =>
  expect(() => read(bytes)).toThrow('the directory gave an answer that cannot be read');
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

const STREAM = Buffer.concat([
  result(1, 'bind', 0),
  entry(2, 'cn=a,dc=b', { cn: ['a', 'ä'], none: [] }),
  entry(2, 'cn=long,dc=b', { memberOf: Array.from({ length: 100 }, (_, index) => `cn=${index},dc=b`) }),
  reference(2, 'ldap://x'),
  result(2, 'search', 4, 'cookie'),
  result(300, 'search', 0, ''),
  result(2 ** 31 - 1, 'extended', 123),
]);

describe('row 163 an answer is read whole or not at all', () => {
  it('in one piece, byte by byte, and in any other', () => {
    const whole = read(STREAM);
    expect(whole.map(({ id, kind }) => [id, kind])).toEqual([
      [1, 'result'],
      [2, 'entry'],
      [2, 'entry'],
      [2, 'reference'],
      [2, 'result'],
      [300, 'result'],
      [2 ** 31 - 1, 'result'],
    ]);
    expect(whole[4]).toMatchObject({ code: 4, cookie: Buffer.from('cookie') });
    expect(whole[5]).toMatchObject({ code: 0, cookie: Buffer.alloc(0) });
    expect(whole[6]).toMatchObject({ code: 123, cookie: undefined });
    expect(read(...Array.from(STREAM, (byte) => Uint8Array.of(byte)))).toEqual(whole);
    for (let at = 1; at < STREAM.length; at += 7) {
      expect(read(STREAM.subarray(0, at), STREAM.subarray(at))).toEqual(whole);
    }
  });

  it('a hundred thousand small messages at once are no recursion', () => {
    const one = result(5, 'search', 0);
    expect(read(Buffer.concat(Array.from({ length: 100_000 }, () => one)))).toHaveLength(100_000);
  });

  it('a part of a message is no message', () => {
    const reader = createMessageReader();
    expect(reader.started).toBe(false);
    expect(reader.push(STREAM.subarray(0, 3))).toEqual([]);
    expect(reader.started).toBe(true);
  });

  it('attributes keep bytes, and trailing elements of a later protocol are passed over', () => {
    const bytes = message(7, (writer) => {
      writer.startSequence(0x64);
      writer.writeString('cn=a');
      writer.startSequence();
      writer.startSequence();
      writer.writeString('cn');
      writer.startSequence(0x31);
      writer.writeBuffer(Buffer.from([0xff, 0x00]), 0x04);
      writer.endSequence();
      writer.endSequence();
      writer.endSequence();
      writer.writeString('later', 0x99);
      writer.endSequence();
    });
    expect(read(bytes)).toEqual([
      {
        id: 7,
        size: bytes.length,
        kind: 'entry',
        entry: { dn: 'cn=a', attributes: [{ type: 'cn', values: [Buffer.from([0xff, 0])] }] },
      },
    ]);
  });

  it.each([
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['TLS', hex('15 03 03 00 02 02 28')],
    ['an indefinite length', hex('30 80 02 01 01')],
    ['a length of five bytes', hex('30 85 00 00 00 00 05')],
    ['nothing inside', hex('30 00')],
    ['no operation', hex('30 03 02 01 05')],
    ['a negative id', hex('30 0c 02 01 ff 61 07 0a 01 00 04 00 04 00')],
    ['an id of five bytes', hex('30 10 02 05 00 00 00 00 01 61 07 0a 01 00 04 00 04 00')],
    ['an id without bytes', hex('30 0b 02 00 61 07 0a 01 00 04 00 04 00')],
    ['an unknown operation', hex('30 0c 02 01 01 6b 07 0a 01 00 04 00 04 00')],
    ['a tag of two bytes', hex('30 0d 02 01 01 7f 61 07 0a 01 00 04 00 04 00')],
    ['a result without its texts', hex('30 08 02 01 01 61 03 0a 01 00')],
    ['a result code that is an integer', hex('30 0c 02 01 01 61 07 02 01 00 04 00 04 00')],
    ['an operation longer than its message', hex('30 0c 02 01 01 61 17 0a 01 00 04 00 04 00')],
    ['an operation cut short', hex('30 0c 02 01 01 61 06 0a 01 00 04 00 04 00')],
    [
      'a list of attributes that is longer than the entry',
      hex('30 0d 02 01 01 64 08 04 04 63 6e 3d 61 30 70'),
    ],
    [
      'a value that is longer than its set',
      hex('30 1a 02 01 01 64 15 04 04 636e3d61 30 0d 30 0b 04 02 636e 31 05 04 70 01 02 03'),
    ],
    ['a DN that is no UTF-8', hex('30 0c 02 01 01 64 07 04 03 63 3d ff 30 00')],
    ['controls that are none', hex('30 10 02 01 01 65 07 0a 01 00 04 00 04 00 a0 02 04 05')],
  ])('%s is refused', (_, bytes) => {
    refuses(bytes);
  });

  it.each([
    ['4 GiB', '30 84 ff ff ff ff'],
    ['4 MiB and a byte', '30 83 40 00 00'],
  ])('%s is refused before it has come', (_, header) => {
    expect(() => read(hex(header))).toThrow('the directory gave an answer that is too large');
  });

  it('a message of many tiny elements is refused before they are built', () => {
    const values = (count: number) => entry(2, 'cn=a', { memberOf: Array.from({ length: count }, () => '') });
    // Eight elements are around the values.
    const [most, more] = [values(MAX_ELEMENTS - 8), values(MAX_ELEMENTS - 7)];
    expect(read(most)).toHaveLength(1);
    expect(() => read(more)).toThrow('the directory gave an answer that is too large');
    const hostile = values(1_900_000);
    expect(hostile.length).toBeGreaterThan(3.6 * 1024 * 1024);
    const cutting = vi.spyOn(Buffer.prototype, 'subarray');
    try {
      expect(() => read(hostile)).toThrow('the directory gave an answer that is too large');
      expect(cutting.mock.calls.length).toBeLessThan(MAX_ELEMENTS + 10);
    } finally {
      cutting.mockRestore();
    }
  });

  it('twenty thousand mutated streams are read or refused, and none goes on for ever', () => {
    let seed = 42;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return seed % below;
    };
    let refused = 0;
    for (let run = 0; run < 20_000; run++) {
      const bytes = Buffer.from(STREAM.subarray(0, 1 + random(STREAM.length)));
      for (let change = 0; change <= random(4); change++) bytes[random(bytes.length)] = random(256);
      try {
        read(bytes);
      } catch (error) {
        expect((error as Error).message).toMatch(
          /^the directory gave an answer that (?:cannot be read|is too large)$/,
        );
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1_000);
  });
});
