import type { RequestStatus } from '../../approvals/request.ts';
import type { GrantProblem } from './check-grant.ts';

/** Why something about an approval was not done. `http/refusals` has the words. */
export type ApprovalRefusal =
  /** Policy lets the caller vend without. */
  | { readonly kind: 'no-approval-needed'; readonly profile: string }
  /**
   * No rule of the approval policy is for this profile and this caller, so nobody could approve.
   */
  | { readonly kind: 'no-approval-rule'; readonly profile: string }
  /** A field is missing, or not as the rule wants it. */
  | { readonly kind: 'request-field'; readonly field: RequestField; readonly profile: string }
  /** A longer time than the rule allows; in seconds. */
  | { readonly kind: 'request-too-long'; readonly longest: number }
  /** Another request of the same person for this profile is pending. */
  | { readonly kind: 'request-pending'; readonly id: string; readonly profile: string }
  /** The caller has as many open requests as one may have. */
  | { readonly kind: 'requests-full'; readonly most: number; readonly retryAfterSeconds: number }
  /** There is no such request, or it is none of the caller's business: they cannot tell which. */
  | { readonly kind: 'no-request'; readonly id: string }
  /** The caller may see the request, and may not decide on it. */
  | {
      readonly kind: 'not-approver';
      readonly id: string;
      readonly why: 'own' | 'no-group' | 'not-now';
    }
  /** The request is not as the action needs it any more. */
  | { readonly kind: 'request-over'; readonly id: string; readonly status: RequestStatus }
  /** What would be approved is not what the approver saw. */
  | {
      readonly kind: 'request-changed';
      readonly id: string;
      readonly digest: string;
      readonly differences: readonly string[];
    }
  /** It was done and stands, but its record could not be written in time. */
  | { readonly kind: 'request-unrecorded'; readonly id: string };

/** A vend needs an approval, and what its caller can do about it. */
export type ApprovalRequired = {
  readonly kind: 'approval-required';
  readonly profile: string;
  /** What the policy's rule says, where it names this caller. */
  readonly reason: string | undefined;
  readonly next:
    | {
        /** A request is there, or was made by this vend. */
        readonly kind: 'requested';
        readonly id: string;
        /** Whether the rule approved the request by itself: the next vend passes. */
        readonly isApproved: boolean;
        readonly statusUrl: string;
        readonly needs: readonly Need[];
        /** An approved request that does not vend; undefined if there is none. */
        readonly blocked: Blocked | undefined;
      }
    /** The rule wants something of a request that this vend did not say, so none was made. */
    | { readonly kind: 'ask'; readonly field: RequestField }
    /** No rule is for this profile and caller. */
    | { readonly kind: 'nobody' };
};

/** An approved request that does not vend now. */
export type Blocked = {
  readonly id: string;
  readonly why: GrantProblem;
  /** What is not as it was approved, where that is why. */
  readonly changed: readonly string[];
};

/** What a group has and needs, and who is eligible, by the names and patterns of the rule. */
export type Need = {
  readonly group: string;
  readonly have: number;
  readonly need: number;
  readonly eligible: readonly string[];
};

/** What the rule wants of a request or a review, and what is wrong with it. */
export type RequestField =
  | 'justification'
  | 'ticket-missing'
  | 'ticket-malformed'
  | 'comment'
  | 'extends'
  | 'extends-never'
  | 'extends-often'
  | 'extends-full';
