import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  JUSTIFICATION,
  outcomeOf,
  startBreakGlass,
  type BreakGlassWorld,
  type Who,
} from '../support/break-glass.ts';
import { signedWith } from '../revocations/support.ts';
import { sendRaw } from '../support/raw-http.ts';
import { policyDocument, profileDocument } from './support.ts';

/** Everything that break-glass refuses, each with its answer. */
let world: BreakGlassWorld;

beforeAll(async () => {
  world = await startBreakGlass();
});

afterAll(() => world.stop());

const DENIED = [403, 'PolicyDenied'];

describe('POST /break-glass: refused by policy', () => {
  it.each<readonly [string, Who, string]>([
    ['a profile that does not exist', 'ann', 'absent'],
    ['a caller whom no rule names', 'eve', 'silent'],
    ['a caller whom no rule names, of a profile that needs an approval', 'eve', 'plain'],
    ['a profile without a rule', 'ann', 'bare'],
    ['a rule that wants a second factor', 'ann', 'mfa'],
  ])('answers %s with the bytes of a vend that is denied', async (_, who, profile) => {
    const answer = await world.open(who, profile);
    expect(outcomeOf(answer)).toEqual(DENIED);
    const vend = await world.vend(who, 'absent');
    expect(answer.body.replaceAll(profile, '?')).toBe(vend.body.replaceAll('absent', '?'));
  });

  it('stays closed where a rule denies, with the answer of the vend', async () => {
    const answer = await world.open('ann', 'denied');
    expect(outcomeOf(answer)).toEqual(DENIED);
    expect(answer.body).toBe((await world.vend('ann', 'denied')).body);
  });

  it('says that there is no need where policy opens the profile', async () => {
    const answer = await world.open('ann', 'open');
    expect(outcomeOf(answer)).toEqual([409, 'Conflict']);
    expect(answer.json).toMatchObject({ status: 'not_needed' });
  });

  it('says at which times the rule does not open it', async () => {
    const hour = new Date(world.time.now).getUTCHours();
    const answer = await world.open('ann', 'late');
    expect(answer.status).toBe(hour === 2 ? 201 : 403);
  });
});

describe('POST /break-glass: 400', () => {
  it.each<readonly [string, string, Readonly<Record<string, unknown>>]>([
    ['reason_code', 'narrow', { reason_code: 'maintenance' }],
    ['reason_code', 'plain', { reason_code: 'boredom' }],
    ['duration', 'narrow', { duration: 1_801 }],
    ['duration', 'plain', { duration: 14_401 }],
    ['duration', 'plain', { duration: 59 }],
    ['duration', 'plain', { duration: '600' }],
    ['justification', 'plain', { justification: 'x'.repeat(19) }],
    ['justification', 'plain', { justification: 'x'.repeat(1_001) }],
    ['justification', 'plain', { justification: undefined }],
    ['ticket', 'plain', { ticket: 'two words' }],
    ['drill', 'plain', { drill: 'yes' }],
    ['until', 'plain', { until: 'tomorrow' }],
  ])('names the field %s of %s with %j', async (field, profile, more) => {
    const answer = await world.open('ann', profile, more);
    expect(outcomeOf(answer), answer.body).toEqual([400, 'ValidationError']);
    expect(answer.json).toMatchObject({ field });
  });

  it.each([
    { justification: 'x'.repeat(20), duration: 14_400 },
    { justification: 'x'.repeat(1_000), duration: 60 },
  ])('takes the bounds themselves', async (more) => {
    expect((await world.open('ann', 'plain', more)).status).toBe(201);
  });

  it('refuses a token of another list', async () => {
    const answer = await world.send('ann', ['GET', '/break-glass?next_token=abc']);
    expect(outcomeOf(answer)).toEqual([400, 'ValidationError']);
  });
});

describe('POST /break-glass/{id}/confirm: refused', () => {
  it.each<readonly [string, Who, number]>([
    ['the invoker', 'ann', 403],
    ['another key of the invoker', 'ann2', 403],
    ['another identity of the same person', 'amy', 403],
    ['somebody whom the rule does not name', 'eve', 403],
    ['an operator whom the rule does not name', 'ops', 403],
  ])('refuses %s', async (_, who, status) => {
    const id = await world.opened('ann', 'two');
    const answer = await world.confirm(who, id);
    expect(outcomeOf(answer)).toEqual([status, 'NotPermitted']);
    expect((await world.show('ann', id)).json).not.toHaveProperty('confirmed_by');
  });

  it('refuses an event that needs no second person, and one that is closed', async () => {
    const plain = await world.opened('ann', 'plain');
    expect(outcomeOf(await world.confirm('ben', plain))).toEqual([403, 'NotPermitted']);
    const id = await world.opened('ann', 'two');
    await world.close('ann', id);
    expect(outcomeOf(await world.confirm('ben', id))).toEqual([409, 'Conflict']);
  });
});

describe('revocations', () => {
  async function revoke(kind: string, value: string): Promise<() => Promise<void>> {
    const revoked = await world.send('ops', [
      'POST',
      '/revocations',
      { kind, value, reason: 'laptop stolen' },
    ]);
    expect(revoked.status, revoked.body).toBe(201);
    return async () => {
      const lifted = await world.send('ops', [
        'DELETE',
        `/revocations/${String(revoked.json['id'])}`,
      ]);
      expect(lifted.status, lifted.body).toBe(200);
    };
  }

  it('of the invoker end the event for good, though they are lifted', async () => {
    const id = await world.opened('ben', 'two');
    expect((await world.vend('ben', 'two')).status).toBe(200);
    const lift = await revoke('user', 'ben');
    expect(outcomeOf(await world.vend('ben', 'two'))).toEqual([403, 'SessionRevoked']);
    expect(outcomeOf(await world.open('ben', 'two'))).toEqual([403, 'SessionRevoked']);
    await lift();
    expect(outcomeOf(await world.vend('ben', 'two'))).toEqual([403, 'PolicyRequiresApproval']);
    expect(outcomeOf(await world.confirm('cid', id))).toEqual([409, 'Conflict']);
  });

  it('of whoever would confirm or review keep them from it', async () => {
    const id = await world.opened('ann', 'two');
    const lift = await revoke('user', 'ben');
    expect(outcomeOf(await world.confirm('ben', id))).toEqual([403, 'SessionRevoked']);
    await lift();
    expect((await world.confirm('ben', id)).status).toBe(200);
  });

  it('of the profile stop openings, confirmations and vends while they last', async () => {
    const id = await world.opened('ann', 'two');
    const lift = await revoke('profile', 'two');
    expect(outcomeOf(await world.open('ann', 'two'))).toEqual([403, 'SessionRevoked']);
    expect(outcomeOf(await world.confirm('ben', id))).toEqual([403, 'SessionRevoked']);
    expect(outcomeOf(await world.vend('ann', 'two'))).toEqual([403, 'SessionRevoked']);
    await lift();
    expect((await world.vend('ann', 'two')).status).toBe(200);
  });
});

describe('POST /break-glass/{id}/review: refused', () => {
  it('refuses the invoker, under whatever identity, and whom the rule does not name', async () => {
    const id = await world.opened('amy', 'owed');
    await world.close('amy', id);
    for (const who of ['ann', 'ann2', 'amy', 'ben', 'ops'] as const) {
      expect(outcomeOf(await world.review(who, id)), who).toEqual([403, 'NotPermitted']);
    }
    expect((await world.review('cid', id)).status).toBe(200);
    // There is no second review.
    expect(outcomeOf(await world.review('ann', id))).toEqual([403, 'NotPermitted']);
  });
});

describe('POST /break-glass/{id}/close: refused', () => {
  it('refuses those who may see the event and are neither its invoker nor an operator', async () => {
    const id = await world.opened('ann', 'two');
    expect(outcomeOf(await world.close('ben', id))).toEqual([403, 'NotPermitted']);
    const [foreign, none] = [
      await world.close('eve', id),
      await world.close('eve', '0123456789abcdef'),
    ];
    expect(foreign.body.replaceAll(id, '')).toBe(none.body.replaceAll('0123456789abcdef', ''));
    expect((await world.show('ann', id)).json).toMatchObject({ status: 'active' });
  });
});

describe('a request that is sent twice', () => {
  it('opens once', async () => {
    const before = world.tvm.audit.filter(
      ({ action, effect }) => action === 'invoked' && effect === 'allow',
    ).length;
    const body = JSON.stringify({
      profile: 'plain',
      reason_code: 'incident',
      justification: JUSTIFICATION,
    });
    const signed = signedWith(world.tvm, world.keys.ann, {
      method: 'POST',
      path: '/break-glass',
      body,
      at: world.time.now,
    });
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => sendRaw(world.tvm.port, signed)),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 403, 403, 403, 403]);
    const after = world.tvm.audit.filter(
      ({ action, effect }) => action === 'invoked' && effect === 'allow',
    ).length;
    expect(after - before).toBe(1);
  });
});

describe('documents that are broken or change', () => {
  it('let nobody break the glass, and vend nothing under what is open', async () => {
    const own = await startBreakGlass();
    try {
      const id = await own.opened('ann', 'two');
      await own.desk.put('/sentinel/people', 'rules: [');
      await until(async () => (await own.open('ann', 'two')).status === 503);
      expect(outcomeOf(await own.vend('ann', 'two'))).toEqual([503, 'ServiceUnavailable']);
      expect(outcomeOf(await own.confirm('ben', id))[0]).not.toBe(200);
      await own.rules('people', [{ name: 'ann-and-amy', is: ['ann', 'amy'] }]);
      await own.desk.put('/sentinel/break-glass-rate-policy', 'rules: [');
      await until(async () => (await own.vend('ann', 'two')).status === 200);
      await until(async () => (await own.open('ann', 'two')).body.includes('rates'));
      expect((await own.open('ann', 'two')).status).toBe(503);
      await own.desk.put('/sentinel/break-glass-policy', 'rules: [');
      await until(async () => (await own.open('ann', 'two')).status === 403);
      expect(outcomeOf(await own.vend('ann', 'two'))).toEqual([403, 'PolicyRequiresApproval']);
    } finally {
      await own.stop();
    }
  }, 120_000);

  it('deny what is open as soon as a rule of the access policy denies it', async () => {
    const own = await startBreakGlass();
    try {
      await own.opened('ann', 'plain');
      expect((await own.vend('ann', 'plain')).status).toBe(200);
      await own.desk.put('/sentinel/profiles/plain', profileDocument({ max_duration: '1h' }));
      await own.desk.put(
        '/sentinel/policies/plain',
        policyDocument({ effect: 'deny', conditions: { users: ['ann'] } }),
      );
      await until(async () => (await own.vend('ann', 'plain')).status === 403);
      expect(outcomeOf(await own.vend('ann', 'plain'))).toEqual(DENIED);
    } finally {
      await own.stop();
    }
  }, 60_000);
});

/** Waits for what a change of documents brings, which may take as long as a sweep of SSM. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let time = 0; time < 200; time += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('it did not come to that');
}
