import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, tableOf } from '../revocations/support.ts';
import { startBreakGlass, type BreakGlassWorld } from '../support/break-glass.ts';
import { BREAKING_FAULTS, type Call } from '../support/fault-proxy.ts';

/**
 * Each step of break-glass, with each fault of DynamoDB: nothing is ever vended outside a window.
 */
let world: BreakGlassWorld;
let table: ReturnType<typeof tableOf>;

beforeAll(async () => {
  world = await startBreakGlass();
  table = tableOf(clientOf(world.desk.url), 'breakglass');
}, 60_000);

afterEach(() => world.pass(5 * 60));

afterAll(() => world.stop());

function isEvent({ operation, body }: Call, wanted: string): boolean {
  return operation === wanted && body.includes('"sentinel-breakglass"');
}

function isLedger({ operation, body }: Call, wanted: string): boolean {
  return operation === wanted && body.includes('"break-glass#');
}

/** Lets the calls that are picked fail until the step is done. */
async function spoiled<Value>(
  fault: (typeof BREAKING_FAULTS)[number],
  picks: (call: Call) => boolean,
  step: () => Promise<Value>,
): Promise<Value> {
  world.proxy.set('dynamodb', (call) => (picks(call) ? fault : 'ok'));
  try {
    return await step();
  } finally {
    world.proxy.set('dynamodb', 'ok');
  }
}

async function statusOfVend(profile: string): Promise<number> {
  return (await world.vend('ann', profile)).status;
}

/** Ends everything that is open. */
function passAll(): void {
  world.pass(5 * 60);
}

describe.each(BREAKING_FAULTS)('while DynamoDB answers with "%s"', (fault) => {
  it('vends nothing under an event whose ledger or row cannot be read', async () => {
    await world.opened('ann', 'plain', { duration: 3_600 });
    expect(await statusOfVend('plain')).toBe(200);
    expect(
      await spoiled(
        fault,
        (call) => isLedger(call, 'Query'),
        () => statusOfVend('plain'),
      ),
    ).toBe(503);
    expect(
      await spoiled(
        fault,
        (call) => isEvent(call, 'Query'),
        () => statusOfVend('plain'),
      ),
    ).not.toBe(200);
    expect(await statusOfVend('plain')).toBe(200);
    passAll();
    expect(
      await spoiled(
        fault,
        (call) => isEvent(call, 'Query'),
        () => statusOfVend('plain'),
      ),
    ).not.toBe(200);
  }, 60_000);

  it('answers 201 to an opening only if its row is there, and vends nothing behind its window', async () => {
    for (const picks of [
      (call: Call) => isEvent(call, 'PutItem'),
      (call: Call) => isLedger(call, 'UpdateItem'),
      (call: Call) => isLedger(call, 'Query'),
    ]) {
      const answer = await spoiled(fault, picks, () =>
        world.open('ann', 'plain', { duration: 600 }),
      );
      expect([201, 503]).toContain(answer.status);
      if (answer.status === 201)
        expect(await table.get(String(answer.json['event_id']))).toBeDefined();
      else expect(answer.headers['retry-after']).toMatch(/^\d+$/u);
      world.pass(10);
      expect(await statusOfVend('plain')).toBe(403);
    }
  }, 90_000);

  it('vends nothing once a closing is in the log, and nothing after a closing that was answered 200', async () => {
    const first = await world.opened('ann', 'plain', { duration: 3_600 });
    const unlogged = await spoiled(
      fault,
      ({ operation, body }) => operation === 'PutItem' && body.includes('"rev#'),
      () => world.close('ann', first),
    );
    expect([200, 503]).toContain(unlogged.status);
    if (unlogged.status === 200) expect(await statusOfVend('plain')).toBe(403);
    expect([200, 409]).toContain((await world.close('ann', first)).status);
    expect(await statusOfVend('plain')).toBe(403);
    const second = await world.opened('ann', 'plain', { duration: 3_600 });
    const unwritten = await spoiled(
      fault,
      (call) => isEvent(call, 'PutItem'),
      () => world.close('ann', second),
    );
    expect([200, 503]).toContain(unwritten.status);
    expect(await statusOfVend('plain')).toBe(403);
    expect([200, 409]).toContain((await world.close('ann', second)).status);
    expect((await table.get(second))?.['status']).toEqual({ S: 'closed' });
    passAll();
  }, 90_000);

  it('lets an event go on only if its confirmation is in its row', async () => {
    const id = await world.opened('ann', 'two', { duration: 3_600 });
    const answer = await spoiled(
      fault,
      (call) => isEvent(call, 'PutItem'),
      () => world.confirm('ben', id),
    );
    expect([200, 503]).toContain(answer.status);
    const isWritten = (await table.get(id))?.['state']?.S?.includes('"confirmed":{') === true;
    if (answer.status === 200) expect(isWritten).toBe(true);
    world.pass(10);
    expect(await statusOfVend('two')).toBe(isWritten ? 200 : 403);
    passAll();
  }, 60_000);

  it('frees nobody of a review that is not in the row', async () => {
    const id = await world.opened('ann', 'owed', { duration: 600 });
    world.pass(71);
    const answer = await spoiled(
      fault,
      (call) => isEvent(call, 'PutItem'),
      () => world.review('cid', id),
    );
    expect([200, 503]).toContain(answer.status);
    const isWritten = (await table.get(id))?.['state']?.S?.includes('"reviewed":{') === true;
    expect((await world.open('ann', 'owed', { duration: 60 })).status).toBe(isWritten ? 201 : 409);
    expect((await world.review('cid', id)).status).toBe(200);
    passAll();
    // Whatever was opened here is reviewed, so that the next case begins anew.
    const listed = await world.send('cid', ['GET', '/break-glass?view=review']);
    for (const event of listed.json['events'] as { event_id: string }[]) {
      expect((await world.review('cid', event.event_id)).status).toBe(200);
    }
  }, 60_000);
});
