import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientOf, tableOf } from '../revocations/support.ts';
import { outcomeOf, startBreakGlass, type BreakGlassWorld } from '../support/break-glass.ts';

/** The story of an emergency, from its opening to its review. */
let world: BreakGlassWorld;

beforeEach(async () => {
  world = await startBreakGlass();
});

afterEach(() => world.stop());

function records(event: string) {
  return world.tvm.audit.filter((record) => record['event'] === event);
}

describe('POST /break-glass', () => {
  it('opens a profile that needs an approval, and what is vended carries the event', async () => {
    expect(outcomeOf(await world.vend('ann', 'plain'))).toEqual([403, 'PolicyRequiresApproval']);
    const opened = await world.open('ann', 'plain', { duration: 7_200, ticket: 'INC-7' });
    expect(opened.status, opened.body).toBe(201);
    const id = String(opened.json['event_id']);
    const end = new Date(world.time.now + 7_200_000).toISOString().replace('.000', '');
    expect(opened.json).toMatchObject({
      status: 'active',
      invoker: 'ann',
      profile: 'plain',
      reason_code: 'incident',
      ticket: 'INC-7',
      duration: 7_200,
      rule: 'plain-rule',
      expires_at: end,
      needs: [],
    });
    const vended = await world.vend('ann', 'plain');
    expect(vended.status, vended.body).toBe(200);
    expect(vended.json['SourceIdentity']).toBe(`sentinel=b=${id}=ann`);
    const asked = world.assumed();
    expect(asked.get('DurationSeconds')).toBe('900');
    expect([...asked].find(([, value]) => value === id)).toBeDefined();
    const policy = JSON.parse(asked.get('Policy') ?? '') as {
      Statement: { Condition?: unknown; Action: string }[];
    };
    expect(policy.Statement).toContainEqual(
      expect.objectContaining({
        Action: '*',
        Condition: { DateGreaterThan: { 'aws:CurrentTime': end } },
      }),
    );
    expect(policy.Statement).toContainEqual(expect.objectContaining({ Action: 'sts:*' }));
    expect(records('vend').at(-1)).toMatchObject({
      outcome: 'vended',
      effect: 'allow',
      break_glass_event_id: id,
      source_identity: `sentinel=b=${id}=ann`,
    });
    expect(records('vend').at(-1)).not.toHaveProperty('approved_request_id');
    expect(records('break_glass')).toMatchObject([
      {
        action: 'invoked',
        effect: 'allow',
        event_id: id,
        invoker: 'ann',
        reason_code: 'incident',
        duration_seconds: 7_200,
        expires_at: end,
        status: 'active',
      },
    ]);
  });

  it('opens a profile of which policy says nothing to the caller, and closes it with the window to the second', async () => {
    expect(outcomeOf(await world.vend('ann', 'silent'))).toEqual([403, 'PolicyDenied']);
    await world.opened('ann', 'silent', { duration: 600 });
    const vended = await world.vend('ann', 'silent');
    expect(vended.status, vended.body).toBe(200);
    expect(Date.parse(String(vended.json['Expiration']))).toBe(world.time.now + 600_000);
    // The session ends with it.
    const session = await world.send('ann', [
      'GET',
      `/sessions/${String(vended.json['SessionId'])}`,
    ]);
    expect(session.json).toMatchObject({ active: true, expires_at: vended.json['Expiration'] });
    world.time.now += 599_000;
    expect((await world.vend('ann', 'silent')).status).toBe(200);
    world.time.now += 1_000;
    expect(outcomeOf(await world.vend('ann', 'silent'))).toEqual([403, 'PolicyDenied']);
    const later = await world.send('ann', ['GET', `/sessions/${String(vended.json['SessionId'])}`]);
    expect(later.json).toMatchObject({ active: false });
  });

  it('lasts an hour, or what the rule allows, where nobody says how long', async () => {
    expect((await world.open('ann', 'plain')).json['duration']).toBe(3_600);
    expect((await world.open('ann', 'narrow')).json['duration']).toBe(1_800);
  });

  it('exercises without opening anything, and says so everywhere', async () => {
    const opened = await world.open('ann', 'plain', { drill: true });
    expect(opened.json).toMatchObject({ drill: true, status: 'active' });
    const id = String(opened.json['event_id']);
    expect(outcomeOf(await world.vend('ann', 'plain'))).toEqual([403, 'PolicyRequiresApproval']);
    expect((await world.show('ann', id)).json).toMatchObject({ drill: true });
    const listed = await world.send('ann', ['GET', '/break-glass']);
    expect(listed.json['events']).toMatchObject([{ event_id: id, drill: true }]);
    expect((await world.close('ann', id)).json).toMatchObject({ drill: true, status: 'closed' });
    expect(records('break_glass').map(({ action, drill }) => [action, drill])).toEqual([
      ['invoked', true],
      ['closed', true],
    ]);
  });

  it('is for the same key and secret, not for another one of the same person', async () => {
    await world.opened('ann', 'plain');
    expect((await world.vend('ann', 'plain')).status).toBe(200);
    for (const who of ['ann2', 'amy', 'ben'] as const) {
      expect(outcomeOf(await world.vend(who, 'plain')), who).toEqual([
        403,
        'PolicyRequiresApproval',
      ]);
    }
  });
});

describe('POST /break-glass/{id}/close', () => {
  it('ends what is vended, and tells until when issued credentials work', async () => {
    const id = await world.opened('ann', 'plain', { duration: 7_200 });
    const vended = await world.vend('ann', 'plain');
    const closed = await world.close('ann', id);
    expect(closed.status, closed.body).toBe(200);
    expect(closed.json).toMatchObject({
      status: 'closed',
      closed_by: 'ann',
      closed_reason: 'payments work again',
      credentials_end: new Date(world.time.now + 3_600_000).toISOString().replace('.000', ''),
    });
    expect(outcomeOf(await world.vend('ann', 'plain'))).toEqual([403, 'PolicyRequiresApproval']);
    expect(outcomeOf(await world.close('ann', id))).toEqual([409, 'Conflict']);
    const session = await world.send('ann', [
      'GET',
      `/sessions/${String(vended.json['SessionId'])}`,
    ]);
    expect(session.json).toMatchObject({ active: false, status: 'revoked' });
    const log = await world.send('ops', ['GET', '/revocations']);
    expect(log.json['revocations']).toMatchObject([{ kind: 'grant', value: id }]);
    expect(records('break_glass').at(-2)).toMatchObject({
      action: 'closed',
      event_id: id,
      closed_by: 'ann',
    });
  });

  it('is for operators who may revoke, and for the invoker under whatever identity', async () => {
    const [first, second] = [
      await world.opened('ann', 'plain'),
      await world.opened('ann', 'plain'),
    ];
    expect((await world.close('ops', first)).json).toMatchObject({
      status: 'closed',
      closed_by: 'ops',
    });
    expect((await world.close('amy', second)).json).toMatchObject({
      status: 'closed',
      closed_by: 'amy',
    });
  });
});

describe('POST /break-glass/{id}/confirm', () => {
  it('lets an event go on behind the deadline of its second person', async () => {
    const opened = await world.open('ann', 'two', { duration: 3_600 });
    const id = String(opened.json['event_id']);
    expect(opened.json['needs']).toMatchObject([
      { action: 'confirm', eligible: ['ben', 'cid', 'ann', 'amy'] },
    ]);
    expect(Date.parse(String(opened.json['expires_at']))).toBe(world.time.now + 600_000);
    // At once it is open, to the deadline.
    const vended = await world.vend('ann', 'two');
    expect(Date.parse(String(vended.json['Expiration']))).toBe(world.time.now + 600_000);
    world.pass(5);
    const confirmed = await world.confirm('ben', id);
    expect(confirmed.status, confirmed.body).toBe(200);
    expect(confirmed.json).toMatchObject({ confirmed_by: 'ben', needs: [] });
    expect((await world.confirm('ben', id)).status).toBe(200);
    expect(outcomeOf(await world.confirm('cid', id))).toEqual([409, 'Conflict']);
    world.pass(6);
    const later = await world.vend('ann', 'two');
    expect(later.status, later.body).toBe(200);
    world.pass(49);
    expect(outcomeOf(await world.vend('ann', 'two'))).toEqual([403, 'PolicyRequiresApproval']);
  });

  it('comes too late at the deadline, and revives nothing', async () => {
    const id = await world.opened('ann', 'two', { duration: 3_600 });
    world.pass(10);
    expect(outcomeOf(await world.vend('ann', 'two'))).toEqual([403, 'PolicyRequiresApproval']);
    expect(outcomeOf(await world.confirm('ben', id))).toEqual([409, 'Conflict']);
    expect(outcomeOf(await world.vend('ann', 'two'))).toEqual([403, 'PolicyRequiresApproval']);
    expect((await world.show('ben', id)).json).toMatchObject({ status: 'expired' });
  });

  it('counts no more once whoever confirmed is revoked, even if that is lifted', async () => {
    const id = await world.opened('ann', 'two', { duration: 3_600 });
    expect((await world.confirm('ben', id)).status).toBe(200);
    world.pass(11);
    expect((await world.vend('ann', 'two')).status).toBe(200);
    const body = { kind: 'user', value: 'ben', reason: 'laptop stolen' };
    const revoked = await world.send('ops', ['POST', '/revocations', body]);
    expect(revoked.status, revoked.body).toBe(201);
    expect(outcomeOf(await world.vend('ann', 'two'))).toEqual([403, 'PolicyRequiresApproval']);
    const lifted = await world.send('ops', [
      'DELETE',
      `/revocations/${String(revoked.json['id'])}`,
    ]);
    expect(lifted.status, lifted.body).toBe(200);
    expect(outcomeOf(await world.vend('ann', 'two'))).toEqual([403, 'PolicyRequiresApproval']);
  });
});

describe('POST /break-glass/{id}/review', () => {
  it('is owed after the use, and frees its person once it is done', async () => {
    const id = await world.opened('ann', 'owed');
    expect(outcomeOf(await world.review('cid', id))).toEqual([409, 'Conflict']);
    world.pass(121);
    const blocked = await world.open('ann', 'owed');
    expect(outcomeOf(blocked)).toEqual([409, 'Conflict']);
    expect(blocked.json).toMatchObject({ status: 'unreviewed', event_id: id });
    // The other identity of the same person is blocked as well, and another profile.
    expect(outcomeOf(await world.open('amy', 'owed'))).toEqual([409, 'Conflict']);
    expect(outcomeOf(await world.open('ann', 'plain'))).toEqual([409, 'Conflict']);
    expect((await world.open('ann', 'owed', { drill: true })).status).toBe(201);
    const listed = await world.send('cid', ['GET', '/break-glass?view=review']);
    expect(listed.json['events']).toMatchObject([{ event_id: id, needs: [{ action: 'review' }] }]);
    const reviewed = await world.review('cid', id);
    expect(reviewed.status, reviewed.body).toBe(200);
    expect(reviewed.json).toMatchObject({
      reviewed_by: 'cid',
      review_comment: 'the restart was needed',
      needs: [],
    });
    expect((await world.review('cid', id)).status).toBe(200);
    expect((await world.open('ann', 'owed')).status).toBe(201);
    expect((await world.send('cid', ['GET', '/break-glass?view=review'])).json['events']).toEqual(
      [],
    );
  });
});

describe('GET /profiles', () => {
  it('says break_glass where neither policy nor an approval opens a profile and a rule would', async () => {
    async function accessOf(who: 'ann' | 'eve') {
      const { json } = await world.send(who, ['GET', '/profiles']);
      const profiles = json['profiles'] as { name: string; access: string }[];
      return Object.fromEntries(profiles.map(({ name, access }) => [name, access]));
    }
    const ann = await accessOf('ann');
    // Policy wants an approval of plain, and no document says who gives one.
    expect(ann).toMatchObject({ silent: 'break_glass', plain: 'break_glass', open: 'allow' });
    expect(ann).not.toHaveProperty('denied');
    const eve = await accessOf('eve');
    expect(eve).not.toHaveProperty('silent');
    expect(eve).not.toHaveProperty('plain');
  });
});

describe('GET /break-glass', () => {
  it('shows mine to me, all to operators, and one to those whose business it is', async () => {
    const id = await world.opened('ann', 'plain');
    async function ids(who: 'ann' | 'amy' | 'ben' | 'ops', query = ''): Promise<unknown> {
      const { json } = await world.send(who, ['GET', `/break-glass${query}`]);
      return (json['events'] as { event_id: string }[]).map((event) => event.event_id);
    }
    expect(await ids('ann')).toEqual([id]);
    expect(await ids('amy')).toEqual([id]);
    expect(await ids('ben')).toEqual([]);
    expect(await ids('ops', '?view=all')).toEqual([id]);
    expect(await ids('ops', '?profile=plain&view=all')).toEqual([id]);
    expect(await ids('ops', '?status=closed&view=all')).toEqual([]);
    expect(outcomeOf(await world.send('ann', ['GET', '/break-glass?view=all']))).toEqual([
      403,
      'NotPermitted',
    ]);
    const [foreign, none] = [
      await world.show('ben', id),
      await world.show('ben', '0123456789abcdef'),
    ];
    expect(outcomeOf(foreign)).toEqual([403, 'NotPermitted']);
    expect(foreign.body.replaceAll(id, '')).toBe(none.body.replaceAll('0123456789abcdef', ''));
    expect((await world.show('ops', id)).status).toBe(200);
  });

  it('lists every event to the end, each once', async () => {
    const opened: string[] = [];
    for (let n = 0; n < 210; n += 1) {
      opened.push(await world.opened('ann', 'plain', { duration: 60, drill: n % 3 === 0 }));
      world.time.now += 1_000;
    }
    async function listAll(who: 'ann' | 'ops', query: string): Promise<readonly string[]> {
      const ids: string[] = [];
      for (let path = `/break-glass?${query}`, page = 0; page < 50; page += 1) {
        const { json, body } = await world.send(who, ['GET', path]);
        const events = json['events'] as { event_id: string }[] | undefined;
        if (events === undefined) throw new Error(body);
        ids.push(...events.map((event) => event.event_id));
        const token = json['next_token'];
        if (typeof token !== 'string') break;
        path = `/break-glass?next_token=${token}&${query}`;
      }
      return ids;
    }
    expect((await listAll('ann', 'view=mine')).toSorted()).toEqual(opened.toSorted());
    expect((await listAll('ops', 'view=all')).toSorted()).toEqual(opened.toSorted());
    expect((await listAll('ops', 'profile=plain&view=all')).toSorted()).toEqual(opened.toSorted());
    expect((await listAll('ops', 'status=expired&view=all')).length).toBeGreaterThan(140);
  }, 60_000);
});

describe('GET /break-glass/{id}', () => {
  it('writes down that the event has ended by itself', async () => {
    const id = await world.opened('ann', 'plain', { duration: 60 });
    world.pass(1);
    expect((await world.show('ann', id)).json).toMatchObject({ status: 'expired' });
    const row = await tableOf(clientOf(world.desk.url), 'breakglass').get(id);
    expect(row).toMatchObject({ status: { S: 'expired' }, version: { N: '2' } });
  });
});
