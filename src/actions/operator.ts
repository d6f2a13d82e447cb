import type { Snapshot } from '../catalog/snapshot.ts';
import { mayOperate, type OperatorAction } from '../policy/documents/operators.ts';
import type { Revocation } from '../revocations/revocation.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';
import type { KnownRequest } from './describe-request.ts';
import type { ApprovalRefusal } from './approvals/refusal.ts';
import type { BreakGlassRefusal } from './break-glass/refusal.ts';
import type { VendRefusal } from './refusal.ts';

/** Why an operation was not done, or why its answer is not a good one. */
export type OperationRefusal =
  | VendRefusal
  | ApprovalRefusal
  | BreakGlassRefusal
  | {
      readonly kind: 'not-operator';
      readonly action: OperatorAction;
      readonly on: OperatedOn;
    }
  /** The session is not active any more; `status` is what it is by now. */
  | {
      readonly kind: 'conflict';
      readonly of: 'session';
      readonly id: string;
      readonly status: 'revoked' | 'expired';
    }
  /** The revocation is the caller's own, so another operator has to lift it. */
  | { readonly kind: 'conflict'; readonly of: 'own-revocation'; readonly n: number }
  | { readonly kind: 'bad-token' }
  /** It was done and stands, but its record could not be written in time. */
  | {
      readonly kind: 'unrecorded';
      readonly action: 'revoked' | 'lifted';
      readonly revocation: Revocation;
    };

/** What an operation is done on. A user has the name that the request gave. */
export type OperatedOn =
  | {
      readonly kind:
        | 'all'
        | 'revocations'
        | 'sessions-of-others'
        | 'requests-of-others'
        | 'events-of-others';
    }
  | {
      readonly kind: 'user' | 'principal' | 'profile' | 'session' | 'grant' | 'revocation';
      readonly value: string;
    };

/** Who operates, and by which request. */
export type Operator = KnownRequest & {
  readonly snapshot: Snapshot;
  /** What the replay guard is to remember before anything is changed. */
  readonly replay: ReplayClaim | undefined;
};

/** Whether the operators document allows the action for one profile or, with undefined, for all. */
export function may(
  { caller, snapshot }: Operator,
  action: OperatorAction,
  profile: string | undefined,
): boolean {
  return mayOperate(snapshot.operators, caller, action, profile);
}

/** Whether the operators document allows the action at all, if only for one profile. */
export function mayForSome(operator: Operator, action: OperatorAction): boolean {
  const rules = operator.snapshot.operators?.rules ?? [];
  return rules.some(({ profiles }) =>
    [undefined, ...(profiles ?? [])].some((profile) => may(operator, action, profile)),
  );
}
