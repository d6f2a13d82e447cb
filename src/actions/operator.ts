import type { Snapshot } from '../catalog/snapshot.ts';
import type { Caller } from '../identity/caller.ts';
import { mayOperate, type OperatorAction } from '../policy/documents/operators.ts';
import type { Revocation } from '../revocations/revocation.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';
import type { VendRefusal } from './refusal.ts';

/** Why an operation was not done. */
export type OperationRefusal =
  | VendRefusal
  | { readonly kind: 'not-operator'; readonly action: OperatorAction; readonly what: string }
  /** What was asked for is not so any more; `status` is what it is by now. */
  | { readonly kind: 'conflict'; readonly message: string; readonly status?: 'revoked' | 'expired' }
  | { readonly kind: 'bad-token' }
  /** It was done and stands, but its record could not be written in time. */
  | { readonly kind: 'unrecorded'; readonly action: 'revoked' | 'lifted'; readonly revocation: Revocation };

/** Who operates, and by which request. */
export type Operator = {
  readonly caller: Caller;
  readonly snapshot: Snapshot;
  readonly httpRequestId: string;
  /** What the replay guard is to remember before anything is changed. */
  readonly replay?: ReplayClaim;
  readonly address?: string;
};

/** Whether the operators document lets them do this, for one profile or, with undefined, for all. */
export function may({ caller, snapshot }: Operator, action: OperatorAction, profile: string | undefined): boolean {
  return mayOperate(snapshot.operators, caller, action, profile);
}

/** Whether the operators document lets them do this at all, be it for one profile only. */
export function mayForSome(operator: Operator, action: OperatorAction): boolean {
  const rules = operator.snapshot.operators?.rules ?? [];
  return rules.some(({ profiles }) =>
    [undefined, ...(profiles ?? [])].some((profile) => may(operator, action, profile)),
  );
}
