import { describe, expect, it } from 'vitest';
import { policyDocument, putProfile } from '../http/support.ts';
import {
  answerOf,
  DANA,
  replies,
  says,
  session,
  useForwarded,
  type Identity,
} from '../support/fake-sts.ts';
import { DEV, forwarded } from '../support/forwarded.ts';
import { sendRaw } from '../support/raw-http.ts';
import type { RunningTvm } from '../support/tvm.ts';
import { fire, refused, VENDED, type Outcome } from './support.ts';

/** The ARN that STS names decides who a caller is, and so which rules match. */
const OWN = '000000000000';
const OTHER = '111122223333';
const DENIED = refused(403, 'AccessDenied');
const POLICY = refused(403, 'PolicyDenied');

/** Profiles with one rule each; a profile is named after the conditions of its rule. */
const RULES: Readonly<Record<string, object>> = {
  'users-admin': {
    users: ['admin', 'a@b', 'alice', 'sso/a@b', 'role/deployer/admin', `${OTHER}:user/admin`],
  },
  'users-role': { users: ['role/reader'] },
  'users-foreign-role': { users: [`${OTHER}:role/reader`] },
  'users-foreign': { users: [`${OTHER}:user/dana`] },
  account: { accounts: [OWN] },
  'role-path': { principals: [`arn:aws:iam::${OWN}:role/admin/*`] },
  'role-any': { principals: [`arn:aws:iam::${OWN}:role/*`] },
  'role-exact': { principals: [`arn:aws:iam::${OWN}:role/reader`] },
  'user-any': { principals: [`arn:aws:iam::${OWN}:user/*`] },
  'user-one-letter': { principals: [`arn:aws:iam::${OWN}:user/d?na`] },
  'user-dot': { principals: [`arn:aws:iam::${OWN}:user/d.na`] },
  'any-account': { principals: ['arn:aws:iam::*:role/reader'] },
  session: { principals: [`arn:aws:sts::${OWN}:assumed-role/reader/*`] },
  china: { principals: [`arn:aws-cn:iam::${OWN}:role/reader`] },
  pinned: { principal_ids: ['AROAEXAMPLEEXAMPLE00'] },
};

const world = useForwarded({}, async (desk) => {
  for (const [name, conditions] of Object.entries(RULES)) {
    await putProfile(desk, name, {
      effect: 'allow',
      conditions: { profiles: [name], ...conditions },
    });
  }
  await desk.put(
    '/sentinel/policies/prod',
    policyDocument({ effect: 'allow', conditions: { users: ['nobody'] } }),
  );
});

/** The outcome of a request whose caller STS says is this identity. */
function as(identity: Identity, query: string, tvm: RunningTvm = world.tvm): Promise<Outcome> {
  world.sts.behave = says(identity);
  return fire(tvm, forwarded(tvm, { query }));
}

function vendsAs(identity: Identity, profile: string, tvm?: RunningTvm): Promise<Outcome> {
  return as(identity, `profile=${profile}`, tvm);
}

async function whoami(identity: Identity, tvm: RunningTvm = world.tvm) {
  world.sts.behave = says(identity);
  const { status, json } = await sendRaw(tvm.port, forwarded(tvm));
  return { status, error: json['error'], name: json['name'], principal: json['principal'] };
}

function user(resource: string, account = OWN): Identity {
  return {
    Arn: `arn:aws:iam::${account}:${resource}`,
    Account: account,
    UserId: 'AIDAEXAMPLEEXAMPLE00',
  };
}

describe('session names of a role', () => {
  it.each(['admin', 'a@b', 'alice', 'dana'])(
    '58 never satisfy a rule for users: %s',
    async (name) => {
      for (const profile of ['users-admin', 'dev', 'users-role']) {
        expect(await vendsAs(session('writer', name), profile)).toEqual(POLICY);
      }
      expect(await vendsAs(session('reader', name), 'users-role')).toEqual(VENDED);
      expect((await whoami(session('writer', name))).name).toBe('role/writer');
    },
  );

  it('58 never pass for a role or an account', async () => {
    for (const name of ['role/reader', `${OTHER}:admin`, 'a/b', 'x'.repeat(65), 'x', '']) {
      expect(await vendsAs(session('writer', name), 'users-role'), name).toEqual(DENIED);
    }
    for (const name of ['x y', 'x\u00E4']) {
      expect(await vendsAs(session('writer', name), 'users-role')).toEqual(
        refused(503, 'ServiceUnavailable'),
      );
    }
    expect(await vendsAs(session('writer', 'reader'), 'users-role')).toEqual(POLICY);
  });

  it('58 count for Identity Center only in accounts of SENTINEL_SSO_ACCOUNTS', async () => {
    const sso = 'AWSReservedSSO_Admin_0123456789abcdef';
    expect(await vendsAs(session(sso, 'a@b'), 'users-admin')).toEqual(POLICY);
    const tvm = await world.start({ environment: { SENTINEL_SSO_ACCOUNTS: OWN } });
    expect(await vendsAs(session(sso, 'a@b'), 'users-admin', tvm)).toEqual(VENDED);
    const impostors = [
      'AWSReservedSSO_Admin_0123456789abcde',
      'AWSReservedSSO_Admin_0123456789abcdef0',
      'AWSReservedSSO_Admin_0123456789ABCDEF',
      'xAWSReservedSSO_Admin_0123456789abcdef',
      'awsreservedsso_Admin_0123456789abcdef',
      'AWSReservedSSO__0123456789abcdef',
    ];
    for (const role of impostors)
      expect(await vendsAs(session(role, 'a@b'), 'users-admin', tvm), role).toEqual(POLICY);
    expect(await vendsAs(session(sso, 'a@b', OTHER), 'users-admin', tvm)).toEqual(DENIED);
    const open = { SENTINEL_SSO_ACCOUNTS: OWN, SENTINEL_ALLOWED_ACCOUNTS: `${OWN},${OTHER}` };
    expect(
      await vendsAs(
        session(sso, 'a@b', OTHER),
        'users-admin',
        await world.start({ environment: open }),
      ),
    ).toEqual(POLICY);
  });

  it('58 count for roles of SENTINEL_TRUSTED_SESSION_ROLES, by account and name', async () => {
    const environment = {
      SENTINEL_ALLOWED_ACCOUNTS: `${OWN},${OTHER}`,
      SENTINEL_TRUSTED_SESSION_ROLES: `arn:aws:iam::${OWN}:role/ci/deployer,arn:aws:iam::${OTHER}:role/broker`,
    };
    const tvm = await world.start({ environment });
    expect(await vendsAs(session('deployer', 'admin'), 'users-admin', tvm)).toEqual(VENDED);
    expect((await whoami(session('broker', 'admin', OTHER), tvm)).name).toBe(
      `${OTHER}:role/broker/admin`,
    );
    expect((await whoami(session('deployer', 'admin', OTHER), tvm)).name).toBe(
      `${OTHER}:role/deployer`,
    );
    expect((await whoami(session('broker', 'admin'), tvm)).name).toBe('role/broker');
    expect((await whoami(session('deployer2', 'admin'), tvm)).name).toBe('role/deployer2');
    expect((await whoami(session('Deployer', 'admin'), tvm)).name).toBe('role/Deployer');
  });

  it('58 must equal the session name in the unique id', async () => {
    const named = session('reader', 'one');
    expect(await vendsAs({ ...named, UserId: 'AROAEXAMPLEEXAMPLE00:two' }, 'users-role')).toEqual(
      DENIED,
    );
    expect(await vendsAs({ ...named, UserId: 'AROAEXAMPLEEXAMPLE00' }, 'users-role')).toEqual(
      DENIED,
    );
    expect(
      await vendsAs({ ...named, UserId: 'AROAEXAMPLEEXAMPLE00:one:one' }, 'users-role'),
    ).toEqual(DENIED);
  });
});

describe('patterns in principals', () => {
  it('59 do not match a role by a path', async () => {
    expect(await vendsAs(session('admin-x', 's1'), 'role-path')).toEqual(POLICY);
    expect(await vendsAs(session('admin', 's1'), 'role-path')).toEqual(POLICY);
    expect(await vendsAs(session('admin-x', 's1'), 'role-any')).toEqual(VENDED);
  });

  it('60 match no separator by a star, one character by a question mark, a dot by a dot', async () => {
    expect(await vendsAs(user('user/dana'), 'user-any')).toEqual(VENDED);
    expect(await vendsAs(user('user/eng/dana'), 'user-any')).toEqual(POLICY);
    expect(await vendsAs(user('user/dana'), 'user-one-letter')).toEqual(VENDED);
    for (const name of ['dna', 'daana', 'dana2'])
      expect(await vendsAs(user(`user/${name}`), 'user-one-letter')).toEqual(POLICY);
    expect(await vendsAs(user('user/dana'), 'user-dot')).toEqual(POLICY);
    expect(await vendsAs(user('user/d.na'), 'user-dot')).toEqual(VENDED);
  });

  it('60 do not match the name of a session', async () => {
    expect(await vendsAs(session('reader', 'x1'), 'role-exact')).toEqual(VENDED);
    expect(await vendsAs(session('reader', 'x1'), 'session')).toEqual(POLICY);
    expect(await vendsAs(session('Reader', 'x1'), 'role-exact')).toEqual(POLICY);
  });

  it('61 do not match across partitions', async () => {
    expect(await vendsAs(session('reader', 'x1'), 'china')).toEqual(POLICY);
    const china = session('reader', 'x1');
    const outcome = await vendsAs(
      { ...china, Arn: china.Arn.replace(':aws:', ':aws-cn:') },
      'china',
    );
    expect(outcome).toEqual(refused(503, 'ServiceUnavailable'));
  });
});

describe('identities that are never callers', () => {
  it.each([
    `arn:aws:iam::${OWN}:root`,
    `arn:aws:sts::${OWN}:federated-user/dana`,
    `arn:aws:sts::${OWN}:assumed-role/aws:ec2-instance/i-0123456789abcdef0`,
    `arn:aws:sts::${OWN}:self`,
    `arn:aws:iam::${OWN}:role/reader`,
    `arn:aws:iam::${OWN}:user`,
    `arn:aws:iam::${OWN}:user/`,
    `arn:aws:iam::${OWN}:user/eng/`,
    `arn:aws:iam::${OWN}:User/dana`,
    `arn:aws:iam::${OWN}:group/dana`,
    `arn:aws:sts::${OWN}:user/dana`,
    `arn:aws:iam::${OWN}:assumed-role/reader/x1`,
    `arn:aws:iam:us-east-1:${OWN}:user/dana`,
    `arn:aws:sts:us-east-1:${OWN}:assumed-role/reader/x1`,
    `arn:aws:sts::${OWN}:assumed-role/reader`,
    `arn:aws:sts::${OWN}:assumed-role/path/reader/x1`,
    `arn:aws:s3::${OWN}:user/dana`,
  ])('62 denies %s', async (Arn) => {
    for (const UserId of [
      OWN,
      `${OWN}:dana`,
      'AROAEXAMPLEEXAMPLE00:x1',
      'AROAEXAMPLEEXAMPLE00:i-0123456789abcdef0',
    ]) {
      expect(await vendsAs({ Arn, Account: OWN, UserId }, 'account')).toEqual(DENIED);
    }
    expect(world.tvm.audit.at(-1)).toMatchObject({
      event: 'identity_refused',
      claimed_access_key_id: 'AKIADEMODANA0000',
    });
  });

  it('62 denies accounts that SENTINEL_ALLOWED_ACCOUNTS does not list, also the own one', async () => {
    expect(await vendsAs(session('reader', 'x1', OTHER), 'any-account')).toEqual(DENIED);
    const tvm = await world.start({ environment: { SENTINEL_ALLOWED_ACCOUNTS: OTHER } });
    expect(await vendsAs(session('reader', 'x1', OTHER), 'any-account', tvm)).toEqual(VENDED);
    expect(await vendsAs(session('reader', 'x1', OTHER), 'users-foreign-role', tvm)).toEqual(
      VENDED,
    );
    expect(await vendsAs(session('reader', 'x1', OTHER), 'users-role', tvm)).toEqual(POLICY);
    expect(await vendsAs(session('reader', 'x1', OTHER), 'account', tvm)).toEqual(POLICY);
    expect(await vendsAs(user('user/dana', OTHER), 'users-foreign', tvm)).toEqual(VENDED);
    expect(await vendsAs(user('user/dana', OTHER), 'dev', tvm)).toEqual(POLICY);
    expect(await vendsAs(DANA, 'dev', tvm)).toEqual(DENIED);
  });
});

describe('the identity of a caller', () => {
  it('63 leaves out of a user’s name the path up to its last slash', async () => {
    expect(await whoami(user('user/role/Admin'))).toMatchObject({
      status: 200,
      name: 'user/Admin',
      principal: `arn:aws:iam::${OWN}:user/role/Admin`,
    });
    expect(await whoami(user('user/a:b/dana'))).toMatchObject({ status: 200, name: 'user/dana' });
    expect(await vendsAs(user('user/role/reader'), 'users-role')).toEqual(POLICY);
    expect(await vendsAs(user('user/role/reader'), 'role-any')).toEqual(POLICY);
    for (const name of [
      `${OTHER}:admin`,
      `${OTHER}:dana`,
      'a:b',
      'a b',
      'a'.repeat(65),
      'd\u00E4na',
    ]) {
      expect(await whoami(user(`user/${name}`)), name).toMatchObject({
        status: 403,
        error: 'AccessDenied',
      });
    }
  });

  it('64 differs for a role that was made again when its id is pinned', async () => {
    expect(await vendsAs(session('reader', 'x1'), 'pinned')).toEqual(VENDED);
    expect(await vendsAs(session('reader', 'x1', OWN, 'AROAOTHEROTHEROTHER0'), 'pinned')).toEqual(
      POLICY,
    );
    const odd = session('reader', 'x1', OWN, 'AROAEXAMPLEEXAMPLE00 ');
    world.sts.behave = replies(200, answerOf(odd));
    expect(await fire(world.tvm, forwarded(world.tvm, { query: 'profile=pinned' }))).toEqual(
      refused(503, 'ServiceUnavailable'),
    );
    expect(await vendsAs(session('reader', 'x1', OWN, 'aroaexampleexample00'), 'pinned')).toEqual(
      POLICY,
    );
  });

  it.each([
    'role_arn',
    'RoleArn',
    'role_session_name',
    'session_name',
    'source_identity',
    'tags',
    'policy',
    'user',
    'principal',
    'account',
  ])('65 cannot be chosen by the caller with the field %s', async (field) => {
    const { tvm } = world;
    const invalid = refused(400, 'ValidationError');
    expect(await as(DANA, `profile=dev&${field}=admin`)).toEqual(invalid);
    const body = JSON.stringify({ profile: 'dev', [field]: 'admin' });
    expect(await fire(tvm, forwarded(tvm, { method: 'POST', path: '/', body }))).toEqual(invalid);
  });

  it('65 stands in the SourceIdentity as STS named it', async () => {
    world.sts.behave = says(DANA);
    const { json } = await sendRaw(world.tvm.port, forwarded(world.tvm, DEV));
    expect(json['SourceIdentity']).toMatch(/^sentinel=d=[0-9a-f]{16}=user_dana\.[0-9a-f]{10}$/u);
    const record = {
      event: 'vend',
      outcome: 'vended',
      user: 'user/dana',
      via: 'sts',
      principal: DANA.Arn,
      account: OWN,
    };
    expect(world.tvm.audit.at(-1)).toMatchObject({ ...record, access_key_id: 'AKIADEMODANA0000' });
  });
});
