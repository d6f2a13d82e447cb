import { DeleteParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { describe, expect, it } from 'vitest';
import { DEMO_TVM_KEY } from '../../src/local/aws/account.ts';
import { call, policyDocument, profileDocument } from '../http/support.ts';
import { says, session, useForwarded, type Identity } from '../support/fake-sts.ts';
import { forwarded, type Forwarding } from '../support/forwarded.ts';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { sign } from '../support/sign.ts';
import type { RunningTvm } from '../support/tvm.ts';

/** One kind of caller owns bare names, and the roles that the TVM vends are never callers. */
const OWN = '000000000000';
const OTHER = '111122223333';
const SSO = 'AWSReservedSSO_Admin_0123456789abcdef';

const world = useForwarded({
  SENTINEL_SSO_ACCOUNTS: `${OWN},${OTHER}`,
  SENTINEL_ALLOWED_ACCOUNTS: `${OWN},${OTHER}`,
});

function as(
  identity: Identity,
  what: Forwarding = {},
  tvm: RunningTvm = world.tvm,
): Promise<RawAnswer> {
  world.sts.behave = says(identity);
  return sendRaw(tvm.port, forwarded(tvm, what));
}

function user(path: string, account = OWN): Identity {
  return {
    Arn: `arn:aws:iam::${account}:user/${path}`,
    Account: account,
    UserId: 'AIDAEXAMPLEEXAMPLE00',
  };
}

describe('names of callers of different kinds', () => {
  it.each(['olivia', 'any/path/olivia'])(
    'the IAM user %s is not the operator olivia',
    async (path) => {
      expect((await as(user(path), { path: '/revocations' })).status).toBe(403);
      expect((await as(user(path))).json['name']).toBe('user/olivia');
    },
  );

  it('the Identity Center session alice is not the registered key alice', async () => {
    expect((await as(session(SSO, 'alice'), { query: 'profile=dev' })).json['error']).toBe(
      'PolicyDenied',
    );
    expect((await as(session(SSO, 'alice'))).json).toMatchObject({
      name: 'sso/alice',
      subject: `arn:aws:iam::${OWN}:role/${SSO}/alice`,
    });
    expect((await as(session(SSO, 'alice', OTHER))).json['name']).toBe(`${OTHER}:sso/alice`);
  });

  it('bare names belong to the kind that SENTINEL_BARE_NAMES names', async () => {
    const own = { SENTINEL_GUARD_TABLE: 'sentinel-requests' };
    const tvm = await world.start({ environment: { ...own, SENTINEL_BARE_NAMES: 'user' } });
    expect((await as(user('x/olivia'), {}, tvm)).json['name']).toBe('olivia');
    expect((await as(user('olivia', OTHER), {}, tvm)).json['name']).toBe(`${OTHER}:olivia`);
    expect((await as(session(SSO, 'olivia'), {}, tvm)).json['name']).toBe('sso/olivia');
    expect((await call(tvm, { path: '/whoami', as: 'olivia' })).json['name']).toBe('key/olivia');
  });

  it('SENTINEL_SSO_ROLES trusts the listed Identity Center roles only', async () => {
    const tvm = await world.start({ environment: { SENTINEL_SSO_ROLES: 'AROAPINNEDPINNED0000' } });
    expect(
      (await as(session(SSO, 'alice', OWN, 'AROAPINNEDPINNED0000'), {}, tvm)).json['name'],
    ).toBe('sso/alice');
    expect((await as(session(SSO, 'alice'), {}, tvm)).json['name']).toBe(`role/${SSO}`);
  });

  it('sessions of a role listed with =sso have names of Identity Center users', async () => {
    const environment = { SENTINEL_TRUSTED_SESSION_ROLES: `arn:aws:iam::${OWN}:role/broker=sso` };
    const tvm = await world.start({ environment });
    expect((await as(session('broker', 'ann'), {}, tvm)).json).toMatchObject({
      name: 'sso/ann',
      subject: `arn:aws:iam::${OWN}:role/broker/ann`,
    });
  });
});

describe('the SENTINEL_BARE_NAMES with which the tables were first used', () => {
  it('is recorded; with another value nothing is served, and a sentence says what to do', async () => {
    const said: string[] = [];
    const tvm = await world.start({
      environment: { SENTINEL_BARE_NAMES: 'sso' },
      onMismatch: (sentence) => void said.push(sentence),
    });
    expect(said[0]).toMatch(
      /SENTINEL_BARE_NAMES is "sso", but the tables were used with "key"; .*names migrate/u,
    );
    expect((await call(tvm, { query: 'profile=dev' })).status).toBe(503);
    const again = await world.start({ environment: { SENTINEL_BARE_NAMES: 'key' } });
    expect((await call(again, { query: 'profile=dev' })).status).toBe(200);
  });
});

describe('the roles that the TVM vends', () => {
  const REFUSED = [403, 'AccessDenied'];
  function outcome({ status, json }: RawAnswer) {
    return [status, json['error']];
  }

  it.each(['SentinelProtected-dev', 'SentinelProtected-prod', 'sentinel-tvm'])(
    'are never callers: %s',
    async (role) => {
      for (const what of [
        {},
        { query: 'profile=dev' },
        { method: 'POST', path: '/keys', body: '{}' },
      ]) {
        const answer = await as(session(role, 'alice'), what);
        expect(outcome(answer), answer.body).toEqual(REFUSED);
      }
    },
  );

  it('have namesakes in other accounts, which are callers', async () => {
    expect((await as(session('SentinelProtected-dev', 'alice', OTHER))).status).toBe(200);
  });

  it('stop being callers once a profile names them, even with a minted key', async () => {
    const { desk } = world;
    const first = await world.start();
    const { json } = await as(
      session('worker', 'w1'),
      { method: 'POST', path: '/keys', body: '{}' },
      first,
    );
    function minted(tvm: RunningTvm): Promise<RawAnswer> {
      const { headers } = sign({
        host: tvm.host,
        method: 'GET',
        path: '/whoami',
        accessKeyId: String(json['AccessKeyId']),
        secret: String(json['SecretAccessKey']),
        headers: {
          'x-amz-security-token': String(json['SessionToken']),
          'x-sentinel-nonce': `${Math.random()}`,
        },
      });
      return sendRaw(tvm.port, { method: 'GET', target: '/whoami', headers });
    }
    expect((await minted(first)).json).toMatchObject({ name: 'role/worker', via: 'minted-key' });
    const role = `arn:aws:iam::${OWN}:role/path/worker`;
    await desk.put('/sentinel/profiles/work', profileDocument({ role_arn: role }));
    await desk.put(
      '/sentinel/policies/work',
      policyDocument({ effect: 'allow', conditions: { users: ['alice'] } }),
    );
    const second = await world.start();
    expect(outcome(await minted(second))).toEqual(REFUSED);
    expect(outcome(await as(session('worker', 'w1'), {}, second))).toEqual(REFUSED);
    const ssm = new SSMClient({
      endpoint: desk.url,
      region: 'us-east-1',
      credentials: DEMO_TVM_KEY,
    });
    await ssm.send(new DeleteParameterCommand({ Name: '/sentinel/profiles/work' }));
    ssm.destroy();
    const third = await world.start();
    expect(
      outcome(await as(session('worker', 'w1'), {}, third)),
      'its credentials live on for an hour',
    ).toEqual(REFUSED);
    const later = await world.start({ clock: () => Date.now() + 100 * 60_000 });
    world.sts.behave = says(session('worker', 'w1'));
    const amzDate = new Date(Date.now() + 100 * 60_000).toISOString().replace(/[:-]|\.\d+/gu, '');
    expect((await sendRaw(later.port, forwarded(later, { amzDate }))).json['name']).toBe(
      'role/worker',
    );
  });

  it('include the roles that revoke credentials', async () => {
    const more = {
      hard_revoke: true,
      revoker_role_arn: `arn:aws:iam::${OWN}:role/sentinel-revoker`,
    };
    await world.desk.put('/sentinel/profiles/hard', profileDocument(more));
    const tvm = await world.start();
    expect(outcome(await as(session('sentinel-revoker', 'x1'), {}, tvm))).toEqual(REFUSED);
  });
});
