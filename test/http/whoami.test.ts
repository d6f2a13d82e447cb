import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { call } from './support.ts';

let desk: Desk;
let tvm: RunningTvm;

beforeAll(async () => {
  desk = await startDesk();
  tvm = await startTvm(desk.url);
});

afterAll(async () => {
  await tvm.close();
  await desk.close();
});

describe('GET /whoami', () => {
  it('answers the identity of the caller', async () => {
    const { status, json, headers } = await call(tvm, { path: '/whoami', as: 'bob' });
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('no-store');
    expect(json).toEqual({
      account: '000000000000',
      principal: 'sentinel:key/TVMDEMOBOB',
      subject: 'sentinel:key/TVMDEMOBOB',
      name: 'bob',
      via: 'key',
      access_key_id: 'TVMDEMOBOB',
    });
  });

  it.each([
    ['a query', { query: 'a=1' }],
    ['a body', { body: '{}' }],
  ])('refuses %s', async (_, change) => {
    const { status, json } = await call(tvm, { path: '/whoami', ...change });
    expect([status, json['error']]).toEqual([400, 'ValidationError']);
  });

  it.each(['POST', 'HEAD', 'PUT'])('answers %s with 405 and Allow', async (method) => {
    const { status, headers } = await call(tvm, { path: '/whoami', method });
    expect([status, headers['allow']]).toEqual([405, 'GET']);
  });
});
