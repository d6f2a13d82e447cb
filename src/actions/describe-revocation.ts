import { formatInstant } from '../lib/clock.ts';
import { isSamePerson, toShownName, type NamedKind } from '../lib/names.ts';
import type { Revocation, RevocationTarget } from '../revocations/revocation.ts';
import type { HardOutcome } from './hard-revocation.ts';
import type { Operator } from './operator.ts';

/** What operations on revocations cannot do without. */
export const NO_LOG = {
  kind: 'unavailable',
  what: 'the log of revocations',
  cause: 'revocations',
  maybeDone: true,
} as const;
export const NO_KEY = {
  kind: 'unavailable',
  what: 'a sealing key, which lifting is signed with,',
  cause: 'sealing_key',
} as const;

/** What is put aside: nobody knows what it said. */
export const NOTHING: Omit<Revocation, 'n'> = {
  target: { kind: 'all' },
  reason: 'unknown: it was missing from the table, or not as this TVM wrote it',
  by: '',
  byPrincipal: '',
  createdAt: 0,
};

/** What of a revocation's target decides which operators may touch it. */
export function profileOf(target: RevocationTarget): string | undefined {
  if (target.kind === 'profile') return target.value;
  return target.kind === 'session' ? target.profile : undefined;
}

/**
 * Whether a revocation names the person who calls: by name, by whichever of their keys, or in whichever account of
 * Identity Center. The freeze switch names nobody.
 */
export function isOf({ target }: Revocation, { caller, snapshot }: Operator): boolean {
  const { storedName, principal, subject } = caller;
  function isMine(other: string): boolean {
    const key = snapshot.clients.get(other.replace(/^sentinel:key\//u, ''));
    return other === principal || other === subject || (key !== undefined && `key/${key.name}` === storedName);
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
      return false;
  }
}

/** A target as the subject of a sentence. */
export function describeKind(target: RevocationTarget): string {
  return target.kind === 'all' ? 'Everything' : `The ${target.kind} ${target.value}`;
}

/** What became of the deny policies, for the audit record. */
export function describeHard(hard: readonly HardOutcome[]) {
  return hard.length === 0 ? {} : { hard: hard.map(({ roleArn, status }) => `${status} ${roleArn}`) };
}

/** How audit records tell of revocations: with names as documents have them. */
export function describeWith(bareNames: NamedKind) {
  function describeTarget(target: RevocationTarget) {
    if (target.kind === 'all') return {};
    return { value: target.kind === 'user' ? toShownName(target.value, bareNames) : target.value };
  }

  function describeRevocation({ n, target, reason, until }: Revocation) {
    return {
      revocation_id: `${n}`,
      kind: target.kind,
      ...describeTarget(target),
      revocation_reason: reason,
      ...(until === undefined ? {} : { until: formatInstant(until) }),
    };
  }

  return { describeTarget, describeRevocation };
}
