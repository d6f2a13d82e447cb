import { describe, expect, it } from 'vitest';
import { createServiceWatch } from '../../src/telemetry/service-watch.ts';
import { createReadinessWatch, type Health } from '../../src/http/readiness.ts';

/** Watches with a clock of the test's own, and collects the lines of the log. */
function watched() {
  const lines: string[] = [];
  const time = { now: 0 };
  function say(level: string) {
    return (_: unknown, message?: string) => void lines.push(`${level} ${message ?? ''}`);
  }
  const watch = createServiceWatch(
    { warn: say('warn'), info: say('info') } as never,
    () => time.now,
  );
  return { watch, lines, time };
}

describe('createServiceWatch', () => {
  it('logs once that a service fails, and once that it is back and how long it was away', () => {
    const { watch, lines, time } = watched();
    for (let call = 0; call < 6; call += 1) watch({ service: 'ssm', outcome: 'late' });
    time.now = 12_000;
    watch({ service: 'ssm', outcome: 'ok' });
    watch({ service: 'ssm', outcome: 'ok' });
    expect(lines).toEqual([
      'warn ssm of AWS does not answer as it should: 3 calls in a row have failed',
      'info ssm of AWS answers again, after 12 s',
    ]);
  });

  it('logs nothing about two failures in a row, and does not count a refused condition as one', () => {
    const { watch, lines } = watched();
    watch({ service: 'dynamodb', outcome: 'failed' });
    watch({ service: 'dynamodb', outcome: 'throttled' });
    watch({ service: 'sts', outcome: 'failed' });
    watch({ service: 'dynamodb', outcome: 'refused' });
    watch({ service: 'dynamodb', outcome: 'failed' });
    expect(lines).toEqual([]);
  });

  it('logs a service that comes and goes once in ten seconds at most', () => {
    const { watch, lines, time } = watched();
    for (let round = 0; round < 100; round += 1) {
      time.now = round * 100;
      for (let call = 0; call < 3; call += 1) watch({ service: 'sts', outcome: 'throttled' });
      watch({ service: 'sts', outcome: 'ok' });
    }
    expect(lines.filter((line) => line.startsWith('warn'))).toHaveLength(1);
  });
});

const GOOD = {
  draining: false,
  catalog: { usable: true, failing: false, rejected: 0 },
  revocations: { usable: true, failing: false, inGrace: false },
  audit: { writable: true, losing: false },
} as unknown as Health;

describe('createReadinessWatch', () => {
  it('reports each change once, with the old state, the new one and the reason', () => {
    const said: [string, boolean][] = [];
    let state = GOOD;
    const look = createReadinessWatch(
      () => state,
      (sentence, isBetter) => void said.push([sentence, isBetter]),
    );
    look();
    look();
    state = { ...GOOD, revocations: { ...GOOD.revocations, usable: false, failing: true } };
    look();
    look();
    state = { ...GOOD, catalog: { ...GOOD.catalog, rejected: 2 } };
    look();
    state = GOOD;
    look();
    expect(said).toEqual([
      ['the server is ready', true],
      [
        'the server is unready (it was ready): there is no list of revocations that is young enough; ' +
          'the revocations could not be read the last time',
        false,
      ],
      ['the server is degraded (it was unready): there are broken documents', true],
      ['the server is ready (it was degraded)', true],
    ]);
  });
});
