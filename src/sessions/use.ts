import type { LabelsFull } from './label-places.ts';
import type { SessionKey } from './session.ts';

/** The session that a vend runs under. */
export type Tracked = {
  readonly id: string;
  /** Epoch milliseconds. */
  readonly endsAt: number;
  /** `degraded`: DynamoDB does not know of it. */
  readonly tracking: 'tracked' | 'degraded';
};

/** What the tracker needs to know about a vend. */
export type SessionUse = {
  readonly key: SessionKey;
  readonly sourceIdentity: string;
  /**
   * When the approval ends that the vend rests on, epoch milliseconds: the session ends with it.
   */
  readonly endsBy?: number | undefined;
  /** Whether the vend may go on only once the row is written. */
  readonly required: boolean;
};

/** Why a vend gets no session. */
export type SessionRefusal = { readonly kind: 'unavailable' } | LabelsFull;
