import type { Snapshot } from '../../src/catalog/snapshot.ts';
import { createDocumentCompiler } from '../../src/catalog/compile.ts';
import type { Caller } from '../../src/identity/caller.ts';
import { ok, type Result } from '../../src/lib/result.ts';
import { readProfile, type Profile } from '../../src/policy/documents/profile.ts';
import type { Leave } from '../../src/actions/vend/decide.ts';
import {
  toNetwork,
  toPlan,
  toStamp,
  type Plan,
  type VendRequest,
} from '../../src/actions/vend/plan.ts';
import type { VendRefusal } from '../../src/actions/refusal.ts';
import { callerWith } from '../support/identity.ts';
import { runWhole } from '../support/run-whole.ts';

/** A Monday, 12:00 UTC. */
export const NOON = Date.parse('2026-01-05T12:00:00Z');

export const ALICE: Caller = callerWith();

/** A caller of another name, and so of another principal. */
export function callerOf(
  name: string,
  principal = `arn:aws:iam::111122223333:user/${name}`,
): Caller {
  return {
    ...ALICE,
    name,
    storedName: name,
    principal,
    subject: principal,
  };
}

const ROLE = 'arn:aws:iam::111122223333:role/Protected';

/** Reads a profile from its document, or fails the test. */
export function profileOf(more: object = {}): Profile {
  const read = readProfile(JSON.stringify({ role_arn: ROLE, ...more }));
  if (!read.ok) throw new Error(JSON.stringify(read.refusal));
  return read.value;
}

/** The documents of profiles: the rules of the policy, and what the profile has beyond its role. */
export type Documents = Readonly<
  Record<string, { readonly rules: readonly object[]; readonly profile?: object }>
>;

/** A snapshot with these profiles and other documents, compiled as the catalog does. */
export function snapshotOf(
  documents: Documents,
  others: Readonly<Record<string, object>> = {},
): Snapshot {
  function text(name: string, value: object) {
    return {
      name: `/sentinel/${name}`,
      type: 'String',
      text: JSON.stringify(value),
    };
  }
  const compiled = runWhole(
    createDocumentCompiler()({
      root: '/sentinel',
      secretsRoot: '/secrets',
      documents: [
        ...Object.entries(documents).flatMap(([name, { rules, profile = {} }]) => [
          text(`policies/${name}`, { version: '1', rules }),
          text(`profiles/${name}`, { role_arn: ROLE, ...profile }),
        ]),
        ...Object.entries(others).map(([name, value]) => text(name, value)),
      ],
      secrets: [
        {
          name: '/secrets/clients/TVMALICE',
          type: 'SecureString',
          text: '{"secret":"a-secret-of-alice","name":"alice"}',
        },
      ],
      demoKeys: true,
      account: '111122223333',
    }),
  );
  if (compiled.rejections.length > 0) throw new Error(JSON.stringify(compiled.rejections));
  return {
    ...compiled,
    readAt: NOON,
    account: '111122223333',
    neverCallers: new Set(compiled.roles),
    parameters: 1,
    pages: 1,
  };
}

/** A rule that names alice. */
export function rule(effect: string, more: object = {}) {
  return {
    name: `${effect}-for-alice`,
    effect,
    conditions: { users: ['alice'] },
    ...more,
  };
}

/** Alice's request for `dev`, with what is given in place of the defaults. */
export function requestOf(more: Partial<VendRequest> = {}): VendRequest {
  return {
    caller: ALICE,
    replay: { key: 'k', signedAt: NOON, forgetAt: NOON },
    profile: 'dev',
    label: undefined,
    duration: undefined,
    justification: undefined,
    ticket: undefined,
    address: undefined,
    httpRequestId: 'r',
    ...more,
  };
}

/**
 * The plan of a vend at noon in a new session, made as `vend` does, or the refusal of its network.
 */
export function planOf(request: VendRequest, leave: Leave): Result<Plan, VendRefusal> {
  const grant = { ...leave, basis: undefined };
  const network = toNetwork(request, grant);
  if (!network.ok) return network;
  const session = {
    id: '0123456789abcdef',
    endsAt: NOON + 8 * 3_600_000,
    tracking: 'tracked',
  } as const;
  return ok(
    toPlan(request, {
      grant,
      stamp: toStamp(request.caller, grant.basis),
      session,
      network: network.value,
      begun: NOON,
    }),
  );
}
