// The strict reader of messages from a directory.
import { describe, expect, it } from 'vitest';
import { createMessageReader, TAGS } from '../src/messages.ts';
import { entry, message, reference, result } from './fake.ts';

const read = (...chunks: readonly Uint8Array[]) => {
  const reader = createMessageReader();
  return chunks.flatMap((chunk) => reader.push(Buffer.from(chunk)));
};
/** Fails with the stream, or with only the message that is wrong. */
const refuses = (bytes: Uint8Array) => {
  try {
    expect(read(bytes)).toEqual([{ id: expect.any(Number), size: bytes.length, tag: undefined }]);
  } catch (error) {
    expect((error as Error).message).toBe('the directory gave an answer that cannot be read');
  }
};
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

describe('row 163 an answer is read completely or refused', () => {
  it('in one piece, byte by byte, and in any other pieces', () => {
    const whole = read(STREAM);
    expect(whole.map(({ id, tag }) => [id, tag])).toEqual([
      [1, TAGS.bind],
      [2, TAGS.entry],
      [2, TAGS.entry],
      [2, TAGS.reference],
      [2, TAGS.result],
      [300, TAGS.result],
      [2 ** 31 - 1, TAGS.extended],
    ]);
    expect(whole[4]).toMatchObject({ code: 4, cookie: Buffer.from('cookie') });
    expect(whole[5]).toMatchObject({ code: 0, cookie: Buffer.alloc(0) });
    expect(whole[6]).toMatchObject({ code: 123, cookie: undefined });
    expect(read(...Array.from(STREAM, (byte) => Uint8Array.of(byte)))).toEqual(whole);
    for (let at = 1; at < STREAM.length; at += 7) {
      expect(read(STREAM.subarray(0, at), STREAM.subarray(at))).toEqual(whole);
    }
  });

  it('a hundred thousand small messages at once do not recurse', () => {
    const one = result(5, 'search', 0);
    expect(read(Buffer.concat(Array.from({ length: 100_000 }, () => one)))).toHaveLength(100_000);
  });

  it('a part of a message gives no message', () => {
    const reader = createMessageReader();
    expect(reader.isStarted()).toBe(false);
    expect(reader.push(STREAM.subarray(0, 3))).toEqual([]);
    expect(reader.isStarted()).toBe(true);
  });

  it('attributes keep their bytes, and trailing elements of a later protocol are ignored', () => {
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
        tag: TAGS.entry,
        entry: { dn: 'cn=a', attributes: [{ type: 'cn', values: [Buffer.from([0xff, 0])] }] },
      },
    ]);
  });

  it.each([
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['TLS', hex('15 03 03 00 02 02 28')],
    ['an indefinite length', hex('30 80 02 01 01')],
    ['a length of five bytes', hex('30 85 00 00 00 00 05')],
    ['4 GiB', hex('30 84 ff ff ff ff')],
    ['4 MiB and more', hex('30 84 00 40 00 01')],
    ['no content', hex('30 00')],
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
    ['a DN that is not UTF-8', hex('30 0c 02 01 01 64 07 04 03 63 3d ff 30 00')],
    ['malformed controls', hex('30 10 02 01 01 65 07 0a 01 00 04 00 04 00 a0 02 04 05')],
  ])('%s is refused', (_, bytes) => {
    refuses(bytes);
  });

  describe('4 MiB of the smallest elements are refused before they are decoded', () => {
    const SIZE = 4 * 1024 * 1024 - 200;
    /** Times the cost of looking at each byte once. */
    const MUCH = 10;
    const sumOf = (bytes: Buffer) => bytes.reduce((sum, byte) => sum + byte, 0);
    /** Microseconds of the processor. */
    const cost = (work: () => unknown) => {
      const before = process.cpuUsage();
      work();
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    /** The maximum number of elements without content. */
    const tiny = (tag: number) => Buffer.alloc(SIZE, Buffer.from([tag, 0]));
    const element = (tag: number, ...content: readonly Buffer[]) => {
      const bytes = Buffer.concat(content);
      const header = Buffer.from([tag, 0x84, 0, 0, 0, 0]);
      header.writeUInt32BE(bytes.length, 2);
      return Buffer.concat([header, bytes]);
    };
    const text = (value: string) => element(4, Buffer.from(value));
    const answer = (...rest: readonly Buffer[]) => element(0x30, hex('02 01 05'), ...rest);
    const done = element(0x65, hex('0a 01 00 04 00 04 00'));
    const attribute = (values: Buffer) => element(0x30, text('memberOf'), element(0x31, values));

    it.each<[string, Buffer]>([
      ['values', answer(element(0x64, text('cn=a'), element(0x30, attribute(tiny(4)))))],
      ['attributes', answer(element(0x64, text('cn=a'), element(0x30, tiny(0x30))))],
      ['parts of an entry', answer(element(0x64, text('cn=a'), element(0x30), tiny(4)))],
      ['parts of a result', answer(element(0x65, hex('0a 01 00 04 00 04 00'), tiny(4)))],
      ['parts of a message', answer(done, tiny(4))],
      ['controls', answer(done, element(0xa0, tiny(0x30)))],
      [
        'parts of a cookie',
        answer(done, element(0xa0, element(0x30, text('1.2.840.113556.1.4.319'), element(4, tiny(4))))),
      ],
    ])('%s', (_, bytes) => {
      const before = process.memoryUsage().heapUsed;
      expect(cost(() => refuses(bytes))).toBeLessThan(MUCH * cost(() => sumOf(bytes)));
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(40 * 1024 * 1024);
    });

    it('nesting deeper than that of an entry is not read', () => {
      for (const bytes of [answer(tiny(0x30)), element(0x30, Buffer.alloc(SIZE, 0x30))])
        expect(cost(() => refuses(bytes))).toBeLessThan(MUCH * cost(() => sumOf(bytes)));
    });
  });

  it('ten thousand values are accepted', () => {
    const values = Array.from({ length: 10_000 }, (_, index) => `cn=${index},dc=b`);
    const [message] = read(entry(2, 'cn=a', { memberOf: values }));
    expect(message?.entry?.attributes[0]?.values).toHaveLength(10_000);
  });

  it('a message in a million chunks takes no more memory than its bytes', () => {
    const whole = entry(2, 'cn=a', { cn: ['x'.repeat(1_000_000)] });
    const reader = createMessageReader();
    const before = process.memoryUsage().heapUsed;
    const started = performance.now();
    const messages = Array.from({ length: whole.length }, (_, at) => reader.push(whole.subarray(at, at + 1)));
    expect(messages.flat()).toHaveLength(1);
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(200 * 1024 * 1024);
  });

  it('twenty thousand mutated streams are read or refused, and none loops forever', () => {
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
        if (read(bytes).some(({ tag }) => tag === undefined)) refused++;
      } catch (error) {
        expect((error as Error).message).toBe('the directory gave an answer that cannot be read');
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1_000);
  });
});
