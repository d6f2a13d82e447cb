import type { Caller } from '../identity/caller.ts';
import type { Block } from '../revocations/revocation.ts';
import type { VendRefusal } from './refusal.ts';

/** What was revoked, as the caller is told it: the reason is for the audit log and the operators. */
function describe({ target }: Block, { name }: Pick<Caller, 'name'>, profile: string | undefined): string {
  switch (target.kind) {
    case 'all':
      return 'All vending';
    case 'profile':
      return `Profile ${target.value}`;
    case 'session':
      return `The session of ${name} on profile ${profile ?? target.profile}`;
    case 'user':
    case 'principal':
      return `The access of ${name}`;
  }
}

/** The refusal of whoever, or whatever, is revoked. */
export function toRevokedRefusal(
  revocation: Block,
  caller: Pick<Caller, 'name'>,
  profile?: string,
): Extract<VendRefusal, { kind: 'revoked' }> {
  return {
    kind: 'revoked',
    what: describe(revocation, caller, profile),
    ...(revocation.until === undefined ? {} : { until: revocation.until }),
  };
}
