import { ok, refuse, type Result } from '../lib/result.ts';
import type { Revocations } from '../revocations/feed.ts';
import type { Revocation } from '../revocations/revocation.ts';
import { profileOf } from './describe-revocation.ts';
import { may, mayForSome, type OperationRefusal, type Operator } from './operator.ts';

/** The revocations in force that this operator may see. */
export type ListRevocations = (
  operator: Operator,
) => Result<readonly Revocation[], OperationRefusal>;

/** Listing the revocations in force: an operator's action. */
export function createListRevocations(revocations: Pick<Revocations, 'list'>): ListRevocations {
  function listRevocations(operator: Operator): ReturnType<ListRevocations> {
    if (!mayForSome(operator, 'list')) {
      return refuse({ kind: 'not-operator', action: 'list', on: { kind: 'revocations' } });
    }
    return ok(revocations.list().filter(({ target }) => may(operator, 'list', profileOf(target))));
  }

  return listRevocations;
}
