import { createHash } from 'node:crypto';
import { canonicalJson } from '../lib/canonical-json.ts';
import { formatInstant } from '../lib/clock.ts';
import type { Wish } from './request.ts';

/**
 * What an approval of a request allows: all that the requester could do with it, and why they want
 * it.
 */
export type Shown = {
  readonly wish: Pick<
    Wish,
    'requester' | 'profile' | 'seconds' | 'justification' | 'ticket' | 'start' | 'extends' | 'chain'
  >;
  readonly id: string;
  /** Every field of the profile's document but its description. */
  readonly profile: Readonly<Record<string, unknown>>;
  /** The cap of the policy's rule on each vend, in seconds. */
  readonly capSeconds: number | undefined;
};

/**
 * The canonical JSON of what is shown to those who decide. What managed policies and the role
 * itself contain is not in it.
 */
export function toShown({ id, wish, profile, capSeconds }: Shown): string {
  const { requester, profile: name, seconds, justification, ticket, start } = wish;
  const { subject, name: user, uniqueId } = requester;
  return canonicalJson({
    id,
    requester: { subject, name: user, unique_id: uniqueId },
    profile_name: name,
    profile,
    cap_seconds: capSeconds,
    seconds,
    start,
    extends: wish.extends,
    extends_from: wish.chain === undefined ? undefined : formatInstant(wish.chain.endsAt),
    ticket,
    justification,
  });
}

/** The digest of what is shown: 64 hexadecimal digits. Whoever approves says which one they saw. */
export function toDigest(shown: string): string {
  return createHash('sha256').update(`tvm-digest/1\n${shown}`).digest('hex');
}

/**
 * The names of the members in which two texts of {@link toShown} differ; those of the profile as
 * `profile.role_arn`.
 */
export function differencesOf(before: string, now: string): readonly string[] {
  const [left, right] = [flat(before), flat(now)];
  const names = new Set([...left.keys(), ...right.keys()]);
  return [...names].filter((name) => left.get(name) !== right.get(name)).toSorted();
}

function flat(shown: string): ReadonlyMap<string, string> {
  const members = JSON.parse(shown) as Readonly<Record<string, unknown>>;
  const { profile, ...rest } = members;
  const inner = Object.entries((profile ?? {}) as Readonly<Record<string, unknown>>);
  return new Map([
    ...Object.entries(rest).map(([name, value]) => [name, canonicalJson(value)] as const),
    ...inner.map(([name, value]) => [`profile.${name}`, canonicalJson(value)] as const),
  ]);
}
