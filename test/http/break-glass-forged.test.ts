import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientOf, tableOf, type Item } from '../revocations/support.ts';
import { outcomeOf, startBreakGlass, type BreakGlassWorld } from '../support/break-glass.ts';

/** Rows of the table of events that somebody wrote who holds PutItem and has not the TVM's keys. */
let world: BreakGlassWorld;
let table: ReturnType<typeof tableOf>;

beforeEach(async () => {
  world = await startBreakGlass();
  table = tableOf(clientOf(world.desk.url), 'breakglass');
});

afterEach(() => world.stop());

const CLOSED = [403, 'PolicyRequiresApproval'];

async function rowOf(id: string): Promise<Item> {
  const row = await table.get(id);
  if (row === undefined) throw new Error(`no row ${id}`);
  return row;
}

async function vends(): Promise<boolean> {
  return (await world.vend('ann', 'plain')).status === 200;
}

/** A state with some of its members changed, under the signature of the state as it was. */
function changed(row: Item, change: object): Item {
  const state = { ...(JSON.parse(row['state']?.S ?? '') as object), ...change };
  return { ...row, state: { S: JSON.stringify(state) } };
}

describe('a row that somebody else wrote', () => {
  it('as Sentinel has it opens nothing, is not shown, and blocks nothing', async () => {
    const id = 'aaaaaaaaaaaaaaaa';
    const now = new Date(world.time.now).toISOString();
    await table.put({
      id: { S: id },
      invoker: { S: 'key/ann' },
      profile: { S: 'plain' },
      reason_code: { S: 'incident' },
      justification: { S: 'I would like to have this profile' },
      duration: { N: '3600000000000' },
      status: { S: 'active' },
      created_at: { S: now },
      updated_at: { S: now },
      expires_at: { S: '2036-01-01T00:00:00Z' },
    });
    expect(outcomeOf(await world.vend('ann', 'plain'))).toEqual(CLOSED);
    expect(outcomeOf(await world.show('ann', id))).toEqual([403, 'NotPermitted']);
    expect((await world.send('ann', ['GET', '/break-glass'])).json['events']).toEqual([]);
    expect(outcomeOf(await world.close('ann', id))).toEqual([403, 'NotPermitted']);
    expect((await world.open('ann', 'plain')).status).toBe(201);
  });

  it('in the place of a closed one revives nothing', async () => {
    const id = await world.opened('ann', 'plain');
    const open = await rowOf(id);
    await world.close('ann', id);
    await table.put(open);
    expect(outcomeOf(await world.vend('ann', 'plain'))).toEqual(CLOSED);
    expect((await world.show('ann', id)).json).toMatchObject({ status: 'closed' });
  });

  it('in the place of one that ended, with later times, vends nothing', async () => {
    const id = await world.opened('ann', 'plain', { duration: 600 });
    const row = await rowOf(id);
    world.pass(10);
    const later = world.time.now + 3_600_000;
    await table.put({ ...row, expires_at: { S: new Date(later).toISOString() } });
    expect(await vends()).toBe(false);
    await table.put(changed(row, { endsAt: later }));
    expect(await vends()).toBe(false);
  });

  it('with another invoker, profile or second person vends to nobody', async () => {
    const id = await world.opened('ann', 'two', { duration: 3_600 });
    const row = await rowOf(id);
    const state = JSON.parse(row['state']?.S ?? '') as { invoker: object };
    await table.put(changed(row, { profile: 'plain' }));
    expect(await vends()).toBe(false);
    await table.put(changed(row, { invoker: { ...state.invoker, name: 'key/ben' } }));
    expect(outcomeOf(await world.vend('ben', 'two'))).toEqual(CLOSED);
    const by = {
      subject: 'sentinel:key/TVMTBEN',
      principal: 'sentinel:key/TVMTBEN',
      name: 'key/ben',
      account: '0',
    };
    await table.put(changed(row, { confirmed: { at: world.time.now, by, seen: 0 } }));
    expect(outcomeOf(await world.vend('ann', 'two'))).toEqual(CLOSED);
    await table.put(row);
    expect((await world.vend('ann', 'two')).status).toBe(200);
    world.pass(10);
    expect(outcomeOf(await world.vend('ann', 'two'))).toEqual(CLOSED);
  });

  it('copied to another id, or from another table, is none', async () => {
    const id = await world.opened('ann', 'plain');
    const row = await rowOf(id);
    await world.close('ann', id);
    const copy = 'bbbbbbbbbbbbbbbb';
    await table.put({ ...row, id: { S: copy } });
    expect(await vends()).toBe(false);
    expect(outcomeOf(await world.show('ann', copy))).toEqual([403, 'NotPermitted']);
    expect(outcomeOf(await world.close('ann', copy))).toEqual([403, 'NotPermitted']);
  });

  it('of a drill that says it is none vends nothing', async () => {
    const id = await world.opened('ann', 'plain', { drill: true });
    const row = await rowOf(id);
    await table.put({ ...changed(row, { drill: false }), status: { S: 'active' } });
    expect(await vends()).toBe(false);
    await table.put({ ...row, status: { S: 'active' } });
    expect(await vends()).toBe(false);
  });

  it('takes away: a closed status ends what is vended, and closing it then lasts', async () => {
    const id = await world.opened('ann', 'plain');
    const row = await rowOf(id);
    await table.put({ ...row, status: { S: 'closed' } });
    expect(await vends()).toBe(false);
    await table.put(row);
    expect(await vends()).toBe(true);
    await table.put({ ...row, status: { S: 'closed' } });
    expect((await world.close('ann', id)).status).toBe(200);
    await table.put(row);
    expect(await vends()).toBe(false);
  });

  it('deletes: what is gone vends nothing, and its review is owed all the same', async () => {
    const id = await world.opened('ann', 'owed');
    await table.remove(id);
    expect(outcomeOf(await world.vend('ann', 'owed'))).toEqual(CLOSED);
    world.pass(121);
    expect((await world.open('ann', 'owed')).json).toMatchObject({
      status: 'unreviewed',
      event_id: id,
    });
  });

  it('forges no review', async () => {
    const id = await world.opened('ann', 'owed');
    const row = await rowOf(id);
    world.pass(121);
    const by = { subject: 's', principal: 's', name: 'key/cid', account: '0' };
    await table.put(changed(row, { reviewed: { at: world.time.now, by, comment: 'fine' } }));
    expect((await world.open('ann', 'owed')).json).toMatchObject({ status: 'unreviewed' });
  });
});
