import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import type { RawAnswer } from '../support/raw-http.ts';
import { NEXT_TOKEN } from '../../src/contract/fields.ts';
import { ROUTES, type OperationName } from '../../src/contract/routes.ts';
import { call, get, post, putProfile } from '../http/support.ts';
import { send, useDesk } from '../revocations/support.ts';

const MANY = 101;

/** What the TVM answers is what the table of routes says, with nothing more and nothing less. */
const world = useDesk({}, async (desk) => {
  const carols = { effect: 'allow', conditions: { users: ['carol'] } };
  await Promise.all(
    Array.from({ length: MANY }, (_, index) => putProfile(desk, `many/${index}`, carols)),
  );
});

/** Holds an answer against its shape, which drops every member that it does not know. */
function expectShape(
  name: OperationName,
  { status, json, body }: RawAnswer,
): Record<string, unknown> {
  expect(status, body).toBe(ROUTES[name].status);
  expect(v.parse(ROUTES[name].answer, json)).toEqual(json);
  return json;
}

const LABELLED = { profile: 'dev', session_label: 'one' };
const REASON = { reason: 'laptop stolen' };

describe('ROUTES', () => {
  it('has the shapes of vended credentials, of a minted key and of the caller', async () => {
    expectShape('vend', await get(world.tvm, LABELLED));
    expectShape('vendByPost', await post(world.tvm, LABELLED));
    expectShape('mintKey', await post(world.tvm, {}, { path: '/keys' }));
    expectShape('whoami', await call(world.tvm, { path: '/whoami' }));
  });

  it('has the shape of a page of profiles, with a next one and without', async () => {
    const first = expectShape(
      'listProfiles',
      await call(world.tvm, { path: '/profiles', as: 'carol' }),
    );
    expect(first).toHaveProperty(NEXT_TOKEN);
    expectShape('listProfiles', await call(world.tvm, { path: '/profiles' }));
  });

  it('has the shapes of sessions, known and unknown, and of revoking one', async () => {
    const { SessionId: id } = expectShape('vend', await get(world.tvm, LABELLED));
    const path = `/sessions/${String(id)}`;
    expectShape('showSession', await call(world.tvm, { path }));
    expectShape('showSession', await call(world.tvm, { path: '/sessions/0123456789abcdef' }));
    expectShape('listSessions', await call(world.tvm, { path: '/sessions' }));
    expectShape('revokeSession', await send(world.tvm, `${path}/revoke`, REASON));
    expectShape('showSession', await call(world.tvm, { path }));
  });

  it('has the shapes of revocations that are made, listed and lifted', async () => {
    const wish = { kind: 'user', value: 'nobody-here', until: '2999-01-01T00:00:00Z', ...REASON };
    const { id } = expectShape('revoke', await send(world.tvm, '/revocations', wish));
    expectShape('listRevocations', await call(world.tvm, { path: '/revocations', as: 'olivia' }));
    const path = `/revocations/${String(id)}`;
    expectShape('lift', await call(world.tvm, { method: 'DELETE', path, as: 'olivia' }));
  });

  it('has the shapes of health and readiness', async () => {
    expectShape('health', await call(world.tvm, { path: '/healthz' }));
    expectShape('readiness', await call(world.tvm, { path: '/readyz' }));
  });
});
