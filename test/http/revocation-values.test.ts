import { describe, expect, it } from 'vitest';
import { listed, send, useDesk } from '../revocations/support.ts';

/**
 * Values that no caller and no profile can have; a revocation of them would look effective and stop
 * nobody.
 */
const world = useDesk({});

const OWN = '000000000000';

describe('POST /revocations: values', () => {
  it.each([
    ['principal', `arn:aws:iam::${OWN}:role/eng/deploy`, `write arn:aws:iam::${OWN}:role/deploy.`],
    [
      'principal',
      `arn:aws:sts::${OWN}:assumed-role/deploy/ann`,
      `like arn:aws:iam::${OWN}:role/deploy.`,
    ],
    ['principal', `arn:aws:iam::${OWN}:root`, 'cannot be a caller'],
    ['principal', `arn:aws:iam::${OWN}:user/*`, 'has a wildcard'],
    ['principal', '*', 'has a wildcard'],
    ['principal', 'arn:aws:s3:::bucket', 'only IAM users and roles'],
    ['principal', 'arn:aws:iam::11112222333:role/x', 'twelve digits'],
    ['principal', 'arn:aws-gov:iam::111122223333:role/x', 'write aws-us-gov.'],
    ['principal', 'alice', 'is neither an ARN'],
    ['user', `arn:aws:iam::${OWN}:user/dana`, 'write user/dana'],
    ['user', '\u0430lice', 'write alice.'],
    ['user', 'alice\u200b', 'write alice.'],
    ['user', 'alice ', 'write alice.'],
    ['user', 'ali*', 'has a wildcard'],
    ['user', 'key/alice', 'write alice.'],
    ['user', '111122223333:alice', 'write alice, or 111122223333:user/alice'],
    ['user', `${OWN}:user/dana`, 'write user/dana.'],
    ['user', '', 'is not a valid name'],
    ['user', 'x'.repeat(65), 'is not a valid name'],
    ['profile', '..', "cannot be a profile's name"],
    ['profile', 'dev/', 'write dev.'],
    ['profile', '*', 'has a wildcard'],
    ['profile', `${'a/'.repeat(14)}b`, 'levels that SSM can store'],
    ['session', '95541EF14FAEDEF4', 'sixteen hexadecimal digits'],
  ])('refuses with 400 the %s %j', async (kind, value, message) => {
    const answer = await send(world.tvm, '/revocations', { kind, value, reason: 'laptop stolen' });
    expect([answer.status, answer.json['error'], answer.json['field']]).toEqual([
      400,
      'ValidationError',
      'value',
    ]);
    expect(answer.json['message']).toContain(message);
    expect(await listed(world.tvm)).toEqual([]);
  });

  it.each([
    ['user', 'user/dana'],
    ['user', 'nobody-here'],
    ['user', '111122223333:user/dana'],
    ['user', 'role/deploy'],
    ['principal', `arn:aws:iam::${OWN}:user/eng/dana`],
    ['principal', 'sentinel:key/TVMNOBODY'],
    ['profile', 'not-there'],
  ])('accepts with 201 the %s %s, which could exist', async (kind, value) => {
    const answer = await send(world.tvm, '/revocations', { kind, value, reason: 'laptop stolen' });
    expect([answer.status, answer.json['value']]).toEqual([201, value]);
  });
});
