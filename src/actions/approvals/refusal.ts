import type { RequestStatus } from '../../approvals/request.ts';

/** Why something about an approval was not done. `http/refusals` has the words. */
export type ApprovalRefusal =
  /** Policy lets the caller vend without. */
  | { readonly kind: 'no-approval-needed'; readonly profile: string }
  /** No rule of the approval policy is for this profile and this caller, so nobody could approve. */
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
  | { readonly kind: 'not-approver'; readonly id: string; readonly why: 'own' | 'no-group' | 'not-now' }
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

/** What the rule wants of a request or a review, and what is wrong with it. */
export type RequestField = 'justification' | 'ticket-missing' | 'ticket-malformed' | 'comment' | 'extends';
