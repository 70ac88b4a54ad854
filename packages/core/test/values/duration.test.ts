// Durations: a number with a unit, as Go writes them, and nothing else.
import { describe, expect, it } from 'vitest';
import type { ConfigError } from '../../src/errors.ts';
import { parseDuration } from '../../src/values/duration.ts';
import { configErrorOf } from '../support/refusals.ts';

function configError(value: unknown): ConfigError | undefined {
  return configErrorOf(() => parseDuration(value, 'keySets[0].refreshInterval'));
}

describe('durations', () => {
  it.each([
    ['0s', 0],
    ['1ms', 1],
    ['5s', 5_000],
    ['30m', 1_800_000],
    ['1h', 3_600_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['1h30m', 5_400_000],
    ['1d2h3m4s5ms', 93_784_005],
    ['1m500ms', 60_500],
    ['1.5s', 1_500],
    ['0.5h', 1_800_000],
    ['1.5h0.5m', 5_430_000],
    ['0.1s', 100],
    ['1.0005s', 1_001],
    ['007s', 7_000],
    ['90m', 5_400_000],
    ['104249991d', 104_249_991 * 86_400_000],
  ])('AK-17: %s is %i ms', (text, ms) => {
    expect(parseDuration(text, 'x')).toBe(ms);
  });

  it.each<[unknown]>([
    [undefined],
    [null],
    [''],
    [' '],
    [0],
    [5],
    [5_000],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [true],
    [['5s']],
    [{}],
    [new String('5s')],
    ['5'],
    ['s'],
    ['5 s'],
    [' 5s'],
    ['5s '],
    ['5s\n'],
    ['5s 3m'],
    ['5S'],
    ['5M'],
    ['5sec'],
    ['5w'],
    ['5y'],
    ['5us'],
    ['5\u00b5s'],
    ['5ns'],
    ['-5s'],
    ['+5s'],
    ['5s-1s'],
    ['.5s'],
    ['5.s'],
    ['1.2.3s'],
    ['1e3s'],
    ['0x5s'],
    ['1_000s'],
    ['1,5s'],
    ['Infinitys'],
    ['NaNs'],
    ['\u0665s'],
    ['1h30'],
    ['30m1'],
    ['PT5S'],
    ['5s;'],
  ])('T-060: %j is no duration', (value) => {
    const error = configError(value);
    expect(error?.path).toBe('keySets[0].refreshInterval');
    expect(error?.message).toContain('expected a duration with a unit');
  });

  it.each(['104249992d', `${'9'.repeat(400)}s`, `${'9'.repeat(17)}ms`, `${'9'.repeat(20)}h1s`])(
    'T-060: %s is too long',
    (value) => {
      expect(configError(value)?.message).toBe('keySets[0].refreshInterval: is too long');
    },
  );

  it('T-069: a long text that is no duration is refused', () => {
    expect(configError('1'.repeat(100_000))?.message).toContain('expected a duration');
    expect(configError(`${'1s'.repeat(50_000)}x`)?.message).toContain('expected a duration');
  });
});
