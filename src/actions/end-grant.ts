import type { Clock } from '../lib/clock.ts';
import type { Revocations } from '../revocations/feed.ts';
import type { HardRevocation } from './hard-revocation.ts';
import type { Operator } from './operator.ts';

/** What is ended: an approval or a break-glass event, by its id. Times in epoch milliseconds. */
export type Ending = {
  readonly id: string;
  readonly profile: string;
  readonly reason: string;
  /** Beyond this it cannot matter any more. */
  readonly until: number;
  /** Whether anything can have been vended under it. */
  readonly vends: boolean;
};

type Dependencies = {
  readonly clock: Clock;
  readonly revocations: Pick<Revocations, 'append' | 'ofGrant'>;
  readonly hardRevocation: Pick<HardRevocation, 'apply'>;
};

export type EndGrant = (operator: Operator, ending: Ending) => Promise<void>;

/**
 * Makes what ends that on which vends rest: in the log of revocations, so that no instance vends
 * under it within about a second, and a row that somebody puts back revives nothing; then in the
 * deny policies of roles with hard revocation, which end issued credentials. Once is enough: what
 * is in the log already is not written again. Rejects where the log cannot be written; of a deny
 * policy that cannot be, the reconciliation of each minute tries again.
 */
export function createEndGrant({ clock, revocations, hardRevocation }: Dependencies): EndGrant {
  return async function endGrant({ caller, snapshot }, { id, profile, reason, until, vends }) {
    if (revocations.ofGrant(id) !== undefined) return;
    const revocation = {
      target: { kind: 'grant', value: id, profile },
      reason,
      by: caller.storedName,
      byPrincipal: caller.principal,
      createdAt: clock(),
      until,
      own: false,
    } as const;
    const { n } = await revocations.append({ what: 'revoke', ...revocation });
    if (vends) await hardRevocation.apply({ ...revocation, n }, snapshot);
  };
}
