import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientAddress } from '../../src/http/client-address.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { call, putProfile } from './support.ts';

function forwarded(...values: readonly string[]) {
  return values.map((value) => ['x-forwarded-for', value] as const);
}

describe('clientAddress', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:203.0.113.7', '203.0.113.7'],
    ['2001:DB8::1', '2001:db8::1'],
    [undefined, undefined],
    ['', undefined],
    ['a socket', undefined],
  ])(
    'gives, without trusted hops, the peer %s as %s, whatever the header says',
    (peer, expected) => {
      expect(clientAddress(forwarded('198.51.100.1'), peer, 0)).toBe(expected);
    },
  );

  it.each([
    [1, ['198.51.100.1'], '198.51.100.1'],
    [1, ['1.1.1.1, 198.51.100.1'], '198.51.100.1'],
    [1, ['1.1.1.1', '198.51.100.1'], '198.51.100.1'],
    [2, ['1.1.1.1, 198.51.100.1, 10.0.0.1'], '198.51.100.1'],
    [2, ['1.1.1.1', '198.51.100.1 ,\t10.0.0.1'], '198.51.100.1'],
    [1, ['198.51.100.1:4711'], '198.51.100.1'],
    [1, ['[2001:db8::1]:4711'], '2001:db8::1'],
    [1, ['2001:db8::1'], '2001:db8::1'],
    [1, ['[::ffff:198.51.100.1]:80'], '198.51.100.1'],
  ] as const)(
    'takes, behind %i hops, from the header %j the address %s',
    (hops, values, expected) => {
      expect(clientAddress(forwarded(...values), '10.9.9.9', hops)).toBe(expected);
    },
  );

  it.each([
    [1, []],
    [1, ['']],
    [2, ['198.51.100.1']],
    [3, ['1.1.1.1, 2.2.2.2']],
    [1, ['1.1.1.1,']],
    [1, ['unknown']],
    [1, ['198.51.100.1:port']],
    [1, ['198.51.100.256']],
    [1, ['010.0.0.1']],
    [1, ['1.1.1.1 2.2.2.2']],
  ] as const)(
    'gives undefined, behind %i hops, for the header %j, and not the peer',
    (hops, values) => {
      expect(clientAddress(forwarded(...values), '10.9.9.9', hops)).toBeUndefined();
    },
  );
});

describe('GET / with SENTINEL_TRUSTED_HOPS=1', () => {
  let desk: Desk;
  let tvm: RunningTvm;

  beforeAll(async () => {
    desk = await startDesk();
    await putProfile(
      desk,
      'bound',
      { effect: 'allow', conditions: { users: ['alice'] } },
      { bind_source_ip: true },
    );
    tvm = await startTvm(desk.url, { environment: { SENTINEL_TRUSTED_HOPS: '1' } });
  });

  afterAll(async () => {
    await tvm.close();
    await desk.close();
  });

  it('uses the address that the nearest proxy wrote, in the record and for the profile', async () => {
    const headers = { 'x-forwarded-for': '198.51.100.1, 203.0.113.7' };
    const answer = await call(tvm, { query: 'profile=bound', headers });
    expect(answer.status, answer.body).toBe(200);
    expect(tvm.audit.at(-1)).toMatchObject({ source_ip: '203.0.113.7' });
  });

  it('denies a profile with bind_source_ip when the address is unknown', async () => {
    const answer = await call(tvm, { query: 'profile=bound' });
    expect(answer.status).toBe(403);
    expect(answer.json['message']).toContain('is unknown');
    expect(tvm.audit.at(-1)).not.toHaveProperty('source_ip');
  });

  it('vends other profiles when the address is unknown', async () => {
    expect((await call(tvm, { query: 'profile=dev' })).status).toBe(200);
  });
});
