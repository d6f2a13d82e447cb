import { describe, expect, it } from 'vitest';
import { createLease } from '../../src/aws/lease.ts';
import { createFakeTable, NOW, type FakeTable } from '../revocations/fake-table.ts';

/** One holder at a time among all instances, whatever their clocks say. */
function instanceOf(table: FakeTable, wall = NOW) {
  const time = { monotonic: 0 };
  const lease = createLease({
    client: table.client,
    table: 'sentinel-guard',
    clock: () => wall,
    monotonic: () => time.monotonic,
    sleep: (ms) => {
      time.monotonic += ms;
      return Promise.resolve();
    },
  });
  return { lease, time };
}

function done() {
  return Promise.resolve('done' as const);
}

describe('createLease', () => {
  it('lets one holder at a time have it, and frees it after the run, also when the run fails', async () => {
    const table = createFakeTable();
    const [one, other] = [instanceOf(table), instanceOf(table)];
    const inside = one.lease('x', 1_000, () => other.lease('x', 1_000, done));
    expect(await inside).toBe('busy');
    await expect(one.lease('x', 1_000, () => Promise.reject(new Error('failed')))).rejects.toThrow(
      'failed',
    );
    expect(await other.lease('x', 0, done)).toBe('done');
  });

  it('is not taken from its holder by an instance whose clock is far ahead', async () => {
    const table = createFakeTable();
    const [one, other] = [instanceOf(table), instanceOf(table, NOW + 24 * 3_600_000)];
    expect(await one.lease('x', 1_000, () => other.lease('x', 10_000, done))).toBe('busy');
  });

  it('is taken over by an instance that has seen a dead holder for half a minute, and not sooner', async () => {
    const table = createFakeTable();
    table.guard.set('lease#x', { id: { S: 'lease#x' }, holder: { S: 'dead' } });
    const { lease, time } = instanceOf(table);
    expect(await lease('x', 10_000, done)).toBe('busy');
    time.monotonic += 10_000;
    expect(await lease('x', 5_000, done)).toBe('busy');
    time.monotonic += 10_000;
    expect(await lease('x', 0, done)).toBe('done');
  });

  it('starts counting again when the holder has changed', async () => {
    const table = createFakeTable();
    table.guard.set('lease#x', { id: { S: 'lease#x' }, holder: { S: 'first' } });
    const { lease, time } = instanceOf(table);
    await lease('x', 0, done);
    time.monotonic += 29_000;
    table.guard.set('lease#x', { id: { S: 'lease#x' }, holder: { S: 'second' } });
    await lease('x', 0, done);
    time.monotonic += 2_000;
    expect(await lease('x', 0, done)).toBe('busy');
  });

  it('runs nothing when DynamoDB fails', async () => {
    const table = createFakeTable(() => Promise.reject(new Error('away')));
    await expect(instanceOf(table).lease('x', 0, done)).rejects.toThrow('away');
  });
});
