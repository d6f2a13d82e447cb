import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  mayOperate,
  readOperators,
  type OperatorAction,
  type OperatorsDocument,
} from '../../src/policy/documents/operators.ts';
import { call } from '../http/support.ts';
import { send, useDesk } from '../revocations/support.ts';
import { problemsOf, valueOf } from './support.ts';

const ACTIONS: readonly OperatorAction[] = ['list', 'revoke', 'explain', 'lift', 'audit'];
const OLIVIA = { name: 'olivia', principal: 'sentinel:key/OLIVIA' };
const DEPLOY = { name: 'role/deploy', principal: 'arn:aws:iam::111122223333:role/deploy' };
const NAMELESS = { name: '', principal: 'arn:aws:iam::111122223333:role/x' };

function documentOf(...rules: readonly object[]): OperatorsDocument {
  return valueOf(
    readOperators(
      JSON.stringify({
        version: '1',
        rules: rules.map((rule, index) => ({ name: `r${index}`, ...rule })),
      }),
    ),
  );
}

type Asked = readonly [caller: typeof OLIVIA, action: OperatorAction, profile: string | undefined];

const all = { actions: ACTIONS };

describe('mayOperate', () => {
  it.each<readonly [what: string, rule: object, asked: Asked, may: boolean]>([
    [
      'allows a listed user an action on all profiles',
      { users: ['olivia'], ...all },
      [OLIVIA, 'revoke', undefined],
      true,
    ],
    [
      'allows a listed user an action on one profile',
      { users: ['olivia'], ...all },
      [OLIVIA, 'revoke', 'dev'],
      true,
    ],
    ['refuses another user', { users: ['otto'], ...all }, [OLIVIA, 'revoke', 'dev'], false],
    [
      'compares users case-sensitively',
      { users: ['Olivia'], ...all },
      [OLIVIA, 'list', 'dev'],
      false,
    ],
    [
      'refuses an action that is not granted',
      { users: ['olivia'], actions: ['list'] },
      [OLIVIA, 'lift', 'dev'],
      false,
    ],
    [
      'allows an action that is granted',
      { users: ['olivia'], actions: ['lift'] },
      [OLIVIA, 'lift', undefined],
      true,
    ],
    [
      'allows an action on a listed profile',
      { users: ['olivia'], ...all, profiles: ['dev'] },
      [OLIVIA, 'list', 'dev'],
      true,
    ],
    [
      'refuses an action on another profile',
      { users: ['olivia'], ...all, profiles: ['dev'] },
      [OLIVIA, 'list', 'prod'],
      false,
    ],
    [
      'refuses an action on all profiles by a rule for some',
      { users: ['olivia'], ...all, profiles: ['dev'] },
      [OLIVIA, 'list', undefined],
      false,
    ],
    [
      'allows a listed principal',
      { principals: [DEPLOY.principal], ...all },
      [DEPLOY, 'revoke', undefined],
      true,
    ],
    [
      'allows a principal that a pattern matches',
      { principals: ['arn:aws:iam::111122223333:role/*'], ...all },
      [DEPLOY, 'revoke', 'dev'],
      true,
    ],
    [
      'refuses a principal that no pattern matches',
      { principals: ['arn:aws:iam::999922223333:role/*'], ...all },
      [DEPLOY, 'list', 'dev'],
      false,
    ],
    [
      'allows when both user and principal match',
      { users: ['olivia'], principals: ['sentinel:key/*'], ...all },
      [OLIVIA, 'list', 'x'],
      true,
    ],
    [
      'refuses when the user matches, but not the principal',
      { users: ['olivia'], principals: ['sentinel:key/X'], ...all },
      [OLIVIA, 'list', 'x'],
      false,
    ],
    [
      'refuses when the principal matches, but not the user',
      { users: ['otto'], principals: ['sentinel:key/*'], ...all },
      [OLIVIA, 'list', 'x'],
      false,
    ],
    [
      'refuses a caller without a name',
      { users: ['olivia'], ...all },
      [NAMELESS, 'list', undefined],
      false,
    ],
  ])('%s', (_what, rule, asked, may) => {
    expect(mayOperate(documentOf(rule), ...asked)).toBe(may);
  });

  it('grants by any one rule, and never by parts of two', () => {
    const halves = documentOf(
      { users: ['olivia'], actions: ['revoke'], profiles: ['dev'] },
      { users: ['olivia'], actions: ['lift'], profiles: ['prod'] },
    );
    function can(action: OperatorAction, profile?: string) {
      return mayOperate(halves, OLIVIA, action, profile);
    }
    expect([can('revoke', 'dev'), can('lift', 'prod')]).toEqual([true, true]);
    expect([can('revoke', 'prod'), can('lift', 'dev'), can('revoke'), can('lift')]).toEqual(
      Array(4).fill(false),
    );
  });

  it('grants nothing without a document', () => {
    const property = fc.property(
      fc.string(),
      fc.string(),
      fc.constantFrom(...ACTIONS),
      fc.option(fc.string(), { nil: undefined }),
      (name, principal, action, profile) =>
        !mayOperate(undefined, { name, principal }, action, profile),
    );
    fc.assert(property);
  });

  it('grants on all profiles only what it grants on each', () => {
    const rules = fc.array(
      fc.record(
        {
          users: fc.subarray(['olivia', 'otto'], { minLength: 1 }),
          actions: fc.subarray([...ACTIONS], { minLength: 1 }),
          profiles: fc.subarray(['dev', 'prod'], { minLength: 1 }),
        },
        { requiredKeys: ['users', 'actions'] },
      ),
      { minLength: 1, maxLength: 4 },
    );
    const property = fc.property(
      rules,
      fc.constantFrom(...ACTIONS),
      fc.string(),
      (given, action, profile) => {
        const document = documentOf(...given);
        return (
          !mayOperate(document, OLIVIA, action, undefined) ||
          mayOperate(document, OLIVIA, action, profile)
        );
      },
    );
    fc.assert(property);
  });

  it.each([
    { rules: [{ name: 'r', actions: ['list'] }] },
    { rules: [{ name: 'r', users: [], actions: ['list'] }] },
    { rules: [{ name: 'r', users: ['*'], actions: ['list'] }] },
    { rules: [{ name: 'r', users: ['olivia'], actions: ['list'], profiles: ['*'] }] },
    { rules: [{ name: 'r', users: ['olivia'], actions: [] }] },
    { rules: [{ name: 'r', users: ['olivia'], actions: ['*'] }] },
    { rules: [{ name: 'r', users: ['olivia'], actions: ['list'], profiles: [] }] },
    { rules: [{ name: 'r', users: ['olivia'], actions: ['list'], profile: ['dev'] }] },
  ])('is never asked about a document like %j, which readOperators refuses', (document) => {
    expect(
      problemsOf(readOperators(JSON.stringify({ version: '1', ...document }))).length,
    ).toBeGreaterThan(0);
  });
});

describe('a broken operators document', () => {
  const broken = `version: "1"
rules:
  - { name: desk, users: [olivia], actions: [list, revoke, lift] }
  - { name: typo, users: [olivia], actions: [revoek] }
`;
  const world = useDesk({}, (desk) => desk.put('/sentinel/operators', broken));

  it('grants nothing by its valid rules either, and counts as rejected in /readyz', async () => {
    const body = { kind: 'all', reason: 'incident' };
    expect((await send(world.tvm, '/revocations', body)).status).toBe(403);
    expect((await call(world.tvm, { path: '/revocations', as: 'olivia' })).status).toBe(403);
    expect(
      (await call(world.tvm, { method: 'DELETE', path: '/revocations/1', as: 'olivia' })).status,
    ).toBe(403);
    expect((await call(world.tvm, { path: '/readyz' })).json).toMatchObject({
      catalog: { rejected: 1 },
    });
  });
});
