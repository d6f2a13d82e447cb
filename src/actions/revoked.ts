import type { Caller } from '../identity/caller.ts';
import type { Block } from '../revocations/revocation.ts';
import type { Revoked, RevokedRefusal } from './refusal.ts';

/** What was revoked, as the caller may know it: its reason is for the operators. */
function toRevoked(
  { target }: Block,
  { name }: Pick<Caller, 'name'>,
  profile: string | undefined,
): Revoked {
  switch (target.kind) {
    case 'all':
      return { what: 'everything' };
    case 'profile':
      return { what: 'profile', profile: target.value };
    case 'session':
      return { what: 'session', name, profile: profile ?? target.profile };
    case 'grant':
      return { what: 'grant', id: target.value };
    case 'user':
    case 'principal':
      return { what: 'access', name };
  }
}

/** The refusal of a request that a revocation stops; `profile` where it asked for one. */
export function toRevokedRefusal(
  revocation: Block,
  caller: Pick<Caller, 'name'>,
  profile?: string,
): RevokedRefusal {
  return {
    kind: 'revoked',
    revoked: toRevoked(revocation, caller, profile),
    until: revocation.until,
    caller: undefined,
  };
}
