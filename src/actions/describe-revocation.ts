import type { RevocationRecord } from '../audit/record.ts';
import { formatInstant } from '../lib/clock.ts';
import { isSamePerson, toShownName, type NamedKind } from '../lib/names.ts';
import type { Revocation, RevocationTarget } from '../revocations/revocation.ts';
import type { HardOutcome } from './hard-revocation.ts';
import type { OperatedOn, Operator } from './operator.ts';

/**
 * A revocation that was made or lifted, and what became of the deny policies of the roles it
 * concerns.
 */
export type Done = { readonly revocation: Revocation; readonly hard: readonly HardOutcome[] };

/**
 * The profile whose operators may touch a revocation; undefined where it concerns more than one.
 */
export function profileOf(target: RevocationTarget): string | undefined {
  if (target.kind === 'profile') return target.value;
  return target.kind === 'session' || target.kind === 'grant' ? target.profile : undefined;
}

/**
 * Whether a revocation names the person who calls: by name, by any of their keys, or in any account
 * of Identity Center. The freeze switch names nobody.
 */
export function isOf({ target }: Revocation, { caller, snapshot }: Operator): boolean {
  const { storedName, principal, subject } = caller;
  function isMine(other: string): boolean {
    const key = snapshot.clients.get(other.replace(/^sentinel:key\//u, ''));
    return (
      other === principal ||
      other === subject ||
      (key !== undefined && `key/${key.name}` === storedName)
    );
  }
  switch (target.kind) {
    case 'user':
      return isSamePerson(target.value, storedName);
    case 'principal':
      return isMine(target.value);
    case 'session':
      return isMine(target.subject) || isSamePerson(target.user, storedName);
    case 'all':
    case 'profile':
    case 'grant':
      return false;
  }
}

/** What an operation was done on, as records name it. */
export function describeTarget(
  on: OperatedOn | RevocationTarget,
  bareNames: NamedKind,
): Pick<RevocationRecord, 'kind' | 'value'> {
  if (!('value' in on)) return { kind: on.kind };
  const value = on.kind === 'user' ? toShownName(on.value, bareNames) : on.value;
  return { kind: on.kind, value };
}

/** A revocation as its record tells of it. */
export function describeRevocation(
  { n, target, reason, until }: Revocation,
  bareNames: NamedKind,
): Partial<RevocationRecord> {
  return {
    revocation_id: `${n}`,
    ...describeTarget(target, bareNames),
    revocation_reason: reason,
    until: until === undefined ? undefined : formatInstant(until),
  };
}

/**
 * What became of the deny policies, as the record tells of it; nothing where no role is concerned.
 */
export function describeHard(hard: readonly HardOutcome[]): Partial<RevocationRecord> {
  return hard.length === 0
    ? {}
    : { hard: hard.map(({ roleArn, status }) => `${status} ${roleArn}`) };
}
