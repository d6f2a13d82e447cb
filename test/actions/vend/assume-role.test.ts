import type { STSClient } from '@aws-sdk/client-sts';
import { describe, expect, it } from 'vitest';
import { createAssumeRole } from '../../../src/actions/vend/assume-role.ts';

const INPUT = {
  RoleArn: 'arn:aws:iam::111122223333:role/eng/Protected',
  RoleSessionName: 'alice',
  SourceIdentity: 'sentinel=d=0123456789abcdef=alice',
};
const SESSION = 'arn:aws:sts::111122223333:assumed-role/Protected/alice';

function assume(answer: object) {
  const Credentials = {
    AccessKeyId: 'ASIA1',
    SecretAccessKey: 's',
    SessionToken: 't',
    Expiration: new Date('2026-01-02T03:04:05Z'),
  };
  const sts = { send: () => Promise.resolve({ Credentials, ...answer }) } as unknown as STSClient;
  return createAssumeRole(sts, () => undefined)(INPUT);
}

describe('createAssumeRole', () => {
  it('takes the credentials of the session that was asked for', async () => {
    const answer = { AssumedRoleUser: { Arn: SESSION, AssumedRoleId: 'AROA:alice' } };
    expect(await assume({ ...answer, SourceIdentity: INPUT.SourceIdentity })).toMatchObject({
      ok: true,
    });
    expect(await assume({})).toMatchObject({ ok: true });
  });

  it.each([
    ['another role', { AssumedRoleUser: { Arn: SESSION.replace('Protected', 'Admin') } }],
    ['another account', { AssumedRoleUser: { Arn: SESSION.replace('1111', '9999') } }],
    ['another session', { AssumedRoleUser: { Arn: SESSION.replace('alice', 'malice') } }],
    ['another stamp', { SourceIdentity: 'sentinel=d=ffffffffffffffff=bob' }],
  ])('refuses the credentials of %s, which answer another call', async (_, answer) => {
    expect(await assume(answer)).toMatchObject({
      ok: false,
      refusal: { kind: 'unavailable', certainlyNone: false },
    });
  });
});
