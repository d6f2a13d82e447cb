import type { REQUEST_STATUSES } from '../contract/fields.ts';

/** An identity as a row of an approval holds it, so that it is recognised later. */
export type Party = {
  readonly subject: string;
  readonly principal: string;
  /** The stored name, such as `key/alice`. */
  readonly name: string;
  readonly account: string;
  /**
   * IAM's unique id, or for a registered key a tag of its secret; undefined where nothing of the
   * kind is known.
   */
  readonly uniqueId: string | undefined;
};

/**
 * The state of a request, as Sentinel has them. A request that ended before its time is cancelled.
 */
export type RequestStatus = (typeof REQUEST_STATUSES)[number];

/** When the time of an approved request begins: with the approval, or with its first vend. */
export type StartMode = 'approval' | 'first_use';

/** One reviewer's word. Times in epoch milliseconds. */
export type Review = {
  readonly reviewer: Party;
  /** Whether the reviewer was a workload and not a person. */
  readonly isBot: boolean;
  readonly verdict: 'approve' | 'deny';
  /** The groups in which it could count when it was given. It counts by the rule of the moment. */
  readonly groups: readonly string[];
  /** The digest of what the reviewer saw. */
  readonly digest: string;
  /**
   * The longest time, in seconds, that the reviewer agrees to; undefined for as long as was asked.
   */
  readonly seconds: number | undefined;
  readonly comment: string | undefined;
  readonly at: number;
  /** Up to which number of the log of revocations the reviewer's instance knew what is revoked. */
  readonly seen: number;
};

/** What an approval allows. Times in epoch milliseconds. */
export type Grant = {
  readonly approvedAt: number;
  /** Whether the rule approved it by itself. */
  readonly auto: boolean;
  /** What was approved. */
  readonly digest: string;
  /** How long it lasts from its start: the shortest that was asked for or agreed to, in seconds. */
  readonly seconds: number;
  /** When it can be used for the first time at the latest. */
  readonly useBy: number;
  /** Undefined until the first use, where that is the start. */
  readonly startsAt: number | undefined;
  /** Undefined until the first use, where that is the start. */
  readonly endsAt: number | undefined;
};

/** What an extension goes on with. Times in epoch milliseconds. */
export type Chain = {
  /** When the time of the first request of the chain began. */
  readonly startsAt: number;
  /** When the time that is extended ends. */
  readonly endsAt: number;
  /** Which extension of the chain this is, from 1. */
  readonly times: number;
  /** How long the extensions before this one are together, in seconds. */
  readonly used: number;
};

/** What somebody asks for. */
export type Wish = {
  readonly requester: Party;
  readonly profile: string;
  /** How long, in seconds. */
  readonly seconds: number;
  readonly justification: string;
  readonly ticket: string | undefined;
  readonly start: StartMode;
  /** The id of the request that it extends. */
  readonly extends: string | undefined;
  /** What it goes on with; undefined where it extends nothing. */
  readonly chain: Chain | undefined;
  /** The id of the first request of such a chain; its own where it extends none. */
  readonly root: string;
  /** Whether a vend made it, or somebody who asked for it. */
  readonly origin: 'vend' | 'request';
  /** Up to which number of the log of revocations it was known what is revoked when it was made. */
  readonly seen: number;
};

/** Those writings of a request that receivers of events are told of. */
export type RequestEventType =
  | 'request.created'
  | 'request.reviewed'
  | 'request.approved'
  | 'request.denied'
  | 'request.expired'
  | 'request.cancelled'
  | 'request.ended';

/** What one writing tells, kept for as long as a later one cannot say it: until it was sent. */
export type Told = {
  readonly version: number;
  readonly type: RequestEventType;
  /** Epoch milliseconds. */
  readonly at: number;
  /** The stored name of who did it; undefined where nobody did. */
  readonly actor: string | undefined;
  readonly comment: string | undefined;
};

/** A request for access, with all that has become of it. Times in epoch milliseconds. */
export type AccessRequest = Wish & {
  /** Sixteen hexadecimal digits. */
  readonly id: string;
  /** Counts the writings; the first is 1. */
  readonly version: number;
  /** The name of the approval rule that it fell under when it was made. */
  readonly rule: string;
  /** The canonical JSON of what an approval of it allows, as it stood at its last writing. */
  readonly shown: string;
  readonly status: RequestStatus;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** When it expires unless it was decided. */
  readonly expiresAt: number;
  readonly reviews: readonly Review[];
  readonly grant: Grant | undefined;
  /** Set where it was denied, withdrawn or ended before its time. */
  readonly ended: { readonly at: number; readonly by: Party; readonly reason: string } | undefined;
  /**
   * What was told by versions before this one and not sent when this one was made, oldest first. Of
   * a request that was read, what its own version tells is the last of it, if that is not sent: so
   * the next version carries it on.
   */
  readonly untold: readonly Told[];
};

/** The state at a moment, which for what nobody has decided in time no writing tells. */
export function statusAt(request: AccessRequest, now: number): RequestStatus {
  return request.status === 'pending' && now >= request.expiresAt ? 'expired' : request.status;
}

/** When a grant ends for certain, epoch milliseconds: with its time, or unused. */
export function latestEnd({ endsAt, useBy, seconds }: Grant): number {
  return endsAt ?? useBy + seconds * 1_000;
}

/** Whether a grant can be used at a moment. */
export function isLive(grant: Grant, now: number): boolean {
  return grant.endsAt === undefined ? now < grant.useBy : now < grant.endsAt;
}
