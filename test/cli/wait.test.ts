import { describe, expect, it } from 'vitest';
import type { TvmAnswer } from '../../src/cli/http.ts';
import { waitForApproval } from '../../src/cli/wait.ts';
import { ok, refuse, type Result } from '../../src/lib/result.ts';

const ID = '0123456789abcdef';

const PHASES = new Map([
  ['pending', 'waiting'],
  ['approved', 'active'],
]);

function request(status: string, more: object = {}): Result<TvmAnswer, string> {
  const json = {
    request_id: ID,
    status,
    phase: PHASES.get(status) ?? 'ended',
    requester: 'alice',
    profile: 'prod',
    justification: 'deploy release 42',
    duration: 3_600,
    start: 'approval',
    created_at: '2026-01-02T03:04:05Z',
    expires_at: '2026-01-02T04:04:05Z',
    rule: 'all',
    needs: [],
    reviews: [],
    digest: 'a'.repeat(64),
    facts: {},
    ...more,
  };
  return ok({ status: 200, json, retryAfter: undefined });
}

function refused(status: number, retryAfter?: number): Result<TvmAnswer, string> {
  return ok({ status, json: { error: 'RateLimited', message: 'later' }, retryAfter });
}

const PENDING = request('pending');

/**
 * Waits against answers that come one after the other, the last for ever; with the pauses in
 * seconds.
 */
async function wait(answers: readonly Result<TvmAnswer, string>[], seconds = 604_800) {
  let now = 0;
  let asked = 0;
  const pauses: number[] = [];
  const outcome = await waitForApproval(
    {
      askOpenly: () => {
        asked += 1;
        return Promise.resolve(answers[Math.min(asked, answers.length) - 1] ?? PENDING);
      },
    },
    ID,
    seconds,
    {
      clock: () => now,
      sleep: (ms) => {
        pauses.push(ms / 1_000);
        now += ms;
        return Promise.resolve();
      },
    },
  );
  return { outcome, pauses };
}

describe('waitForApproval', () => {
  it('looks less and less often, and every 15 s at least', async () => {
    const { outcome, pauses } = await wait([
      ...Array.from({ length: 9 }, () => PENDING),
      request('approved'),
    ]);
    expect(outcome).toEqual(ok(undefined));
    expect(pauses.map((pause) => Math.round(pause * 10) / 10)).toEqual([
      1, 1.5, 2.3, 3.4, 5.1, 7.6, 11.4, 15, 15, 15,
    ]);
  });

  it('waits as long as the TVM asks, five minutes at most, and goes on', async () => {
    const { outcome, pauses } = await wait([
      refused(429, 40),
      refused(503, 3_000),
      PENDING,
      request('approved'),
    ]);
    expect(outcome).toEqual(ok(undefined));
    expect(pauses.slice(0, 3)).toEqual([1, 40, 300]);
  });

  it('outlasts a TVM that is away for a while, and gives up when it stays away', async () => {
    const away = refuse('https://tvm.example.com cannot be reached: ECONNREFUSED.');
    expect((await wait([away, away, PENDING, away, request('approved')])).outcome).toEqual(
      ok(undefined),
    );
    const { outcome, pauses } = await wait([away]);
    expect(outcome).toEqual(away);
    expect(pauses).toHaveLength(12);
    expect((await wait([refused(503)])).outcome).toEqual(refuse('later (RateLimited).'));
  });

  it.each([
    ['denied', { ended_by: 'bob', ended_reason: 'not today' }, 'was denied by bob: not today.'],
    ['denied', { ended_by: 'bob', ended_reason: 'why?' }, 'was denied by bob: why?'],
    ['cancelled', { ended_by: 'alice' }, 'was cancelled by alice.'],
    [
      'cancelled',
      { ended_by: 'bob', credentials_end: '2026-01-02T04:04:05Z' },
      'was cancelled by bob (credentials from before may work until 2026-01-02T04:04:05Z).',
    ],
    ['expired', {}, 'has expired, because it was not decided until 2026-01-02T04:04:05Z.'],
    ['pending', { phase: 'ended' }, 'was ended before anybody decided it.'],
    ['approved', { phase: 'ended' }, 'was approved, and has ended.'],
  ])('says what became of a request that is %s with %j', async (status, more, sentence) => {
    const { outcome } = await wait([PENDING, request(status, more)]);
    expect(outcome).toEqual(refuse(`Request ${ID} for profile prod ${sentence}`));
  });

  it('refuses what is no request, and what the TVM refuses', async () => {
    const nothing = ok({ status: 200, json: {}, retryAfter: undefined });
    expect((await wait([nothing])).outcome).toEqual(
      refuse('The TVM answered without a request; check --url.'),
    );
    expect((await wait([refused(403)])).outcome).toEqual(refuse('later (RateLimited).'));
  });

  it('ends at its limit, to the second', async () => {
    const { outcome, pauses } = await wait([PENDING], 10);
    expect(outcome.ok ? '' : outcome.refusal).toContain('was not decided in 10 s');
    expect(pauses.reduce((sum, pause) => sum + pause, 0)).toBe(10);
  });
});
