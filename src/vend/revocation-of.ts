import type { Revocation, RevocationTarget } from '../sessions/revocation.ts';
import { isSamePerson } from '../lib/names.ts';
import type { Operator } from './operator.ts';

/** What of a revocation's target decides which operators may touch it. */
export const profileOf = (target: RevocationTarget): string | undefined => {
  if (target.kind === 'profile') return target.value;
  return target.kind === 'session' ? target.profile : undefined;
};

/**
 * Whether a revocation names the person who calls: by name, by whichever of their keys, or in whichever account of
 * Identity Center. The freeze switch names nobody.
 */
export const isOf = ({ target }: Revocation, { caller, snapshot }: Operator): boolean => {
  const { storedName, principal, subject } = caller;
  const isMine = (other: string): boolean => {
    const key = snapshot.clients.get(other.replace(/^sentinel:key\//u, ''));
    return other === principal || other === subject || (key !== undefined && `key/${key.name}` === storedName);
  };
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
};
