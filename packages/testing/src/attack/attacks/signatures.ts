// Attacks by the signature alone.
import type { Attack } from '../attack.ts';
import { ecdsaKey } from '../attack.ts';
import type { Bench } from '../bench.ts';

const ADVICE =
  'The signature is not compared as a whole. Verify it with a library that refuses signatures of another length.';

const changed = (
  id: Attack['id'],
  title: string,
  change: (signature: Buffer) => readonly Buffer[],
): Attack => ({
  id,
  title,
  advice: ADVICE,
  forge: ({ good }: Bench) => {
    const dot = good.token.lastIndexOf('.') + 1;
    const signature = Buffer.from(good.token.slice(dot), 'base64url');
    return change(signature).map((bytes) => `${good.token.slice(0, dot)}${bytes.toString('base64url')}`);
  },
});

const filled = (signature: Buffer, last: number) => {
  const half = Buffer.alloc(signature.length / 2);
  half[half.length - 1] = last;
  return Buffer.concat([half, half]);
};

export const SIGNATURE_ATTACKS: readonly Attack[] = [
  { ...changed('T-023/empty', 'an empty signature', () => [Buffer.alloc(0)]), takes: 'nothing' },
  changed('T-023/truncated', 'the first byte, and the first half of the signature', (signature) => [
    signature.subarray(0, 1),
    signature.subarray(0, signature.length / 2),
    signature.subarray(0, -1),
  ]),
  changed('T-023/extended', 'the signature with bytes more, and twice', (signature) => [
    Buffer.concat([signature, Buffer.alloc(1)]),
    Buffer.concat([signature, signature]),
  ]),
  {
    ...changed('T-024/zero', 'an ECDSA signature with r and s 0, and 1', (signature) => [
      filled(signature, 0),
      filled(signature, 1),
    ]),
    takes: 'nothing',
    needs: [ecdsaKey],
  },
];
