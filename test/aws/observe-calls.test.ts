import { describe, expect, it } from 'vitest';
import { observeCalls } from '../../src/aws/observe-calls.ts';
import type { AwsCall } from '../../src/telemetry/meter.ts';

/** The outcome that is reported for a call that ends with this error. */
async function toldAs(end: () => Promise<unknown>): Promise<Partial<AwsCall> | undefined> {
  const told: AwsCall[] = [];
  const observe = observeCalls('dynamodb', (call) => void told.push(call));
  await observe(end, { commandName: 'PutItemCommand' })(undefined).catch(() => undefined);
  expect(told).toHaveLength(1);
  return told[0];
}

function fails(name: string) {
  return () => Promise.reject(Object.assign(new Error('x'), { name }));
}

describe('observeCalls', () => {
  it.each([
    ['ConditionalCheckFailedException', 'refused'],
    ['ProvisionedThroughputExceededException', 'throttled'],
    ['RequestThrottled', 'throttled'],
    ['TooManyRequestsException', 'throttled'],
    ['TimeoutError', 'late'],
    ['AbortError', 'late'],
    ['InternalServerError', 'failed'],
  ])('reports %s as %s', async (name, outcome) => {
    expect(await toldAs(fails(name))).toMatchObject({
      service: 'dynamodb',
      operation: 'PutItem',
      outcome,
    });
  });

  it('reports an answer as ok', async () => {
    expect(await toldAs(() => Promise.resolve(1))).toMatchObject({ outcome: 'ok' });
  });
});
