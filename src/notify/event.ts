import { escapeUnseen } from '../lib/unseen.ts';

/** Everything that receivers are told of. */
export const EVENT_TYPES = [
  'request.created',
  'request.reviewed',
  'request.approved',
  'request.denied',
  'request.expired',
  'request.cancelled',
  'request.ended',
  'breakglass.invoked',
  'breakglass.confirmed',
  'breakglass.closed',
  'breakglass.expired',
  'breakglass.reviewed',
  'revocation.created',
  'revocation.lifted',
] as const;

/** What has happened. */
export type EventType = (typeof EVENT_TYPES)[number];

/**
 * What an event is about. Texts are what callers wrote: data, which is cut and escaped before it
 * leaves.
 */
export type Matter = {
  readonly kind: 'request' | 'break_glass' | 'revocation';
  /** The id of the row. */
  readonly id: string;
  readonly profile: string | undefined;
  /**
   * Whose it is: who asked, who broke the glass, or who is revoked. A stored name, such as
   * `key/alice`.
   */
  readonly requester: string | undefined;
  /**
   * Who did what the event tells of; undefined where nobody did, as when time ran out or a rule
   * approved.
   */
  readonly actor: string | undefined;
  readonly justification: string | undefined;
  readonly comment: string | undefined;
  readonly ticket: string | undefined;
  /** Why the glass was broken, as the policy calls it. */
  readonly reasonCode: string | undefined;
  readonly status: string | undefined;
  /** How long access lasts, in seconds. */
  readonly seconds: number | undefined;
  /** When it ends, epoch milliseconds. */
  readonly endsAt: number | undefined;
  /** Whether it is only a drill. */
  readonly isDrill: boolean;
};

/** One writing of a row, as receivers hear of it. */
export type Event = {
  /** The version of the row that the event tells of. Who has seen a higher one ignores it. */
  readonly version: number;
  readonly type: EventType;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly matter: Matter;
};

/** Characters of a text that a caller wrote at length, and of one that is a name or an id. */
const TEXT_LENGTH = 1_000;
const NAME_LENGTH = 256;

/** The same for the same writing of the same row, however often it is sent. */
export function eventId({ matter, version }: Event): string {
  return `${matter.id}.${version}`;
}

/** A text of at most so many characters; one that was cut ends in `…`. */
function cut(text: string, length: number): string {
  const characters = Array.from(text);
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}

function name(text: string | undefined): string | undefined {
  return text === undefined ? undefined : cut(text, NAME_LENGTH);
}

function prose(text: string | undefined): string | undefined {
  return text === undefined ? undefined : cut(text, TEXT_LENGTH);
}

function instant(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

const PATHS: Readonly<Record<Matter['kind'], string>> = {
  request: 'requests',
  break_glass: 'break-glass',
  revocation: 'revocations',
};

/**
 * Where a person sees the matter and decides on it. Whoever follows it has to prove who they are.
 */
export function linkTo({ kind, id }: Matter, publicUrl: string): string {
  return `${publicUrl.replace(/\/+$/u, '')}/${PATHS[kind]}/${encodeURIComponent(id)}`;
}

/** The event as one line of JSON, which is what is signed. */
export function toBody(event: Event, publicUrl: string): string {
  const { matter, version, type, at } = event;
  const body = {
    id: eventId(event),
    version,
    type,
    at: instant(at),
    subject: {
      kind: matter.kind,
      id: name(matter.id),
      profile: name(matter.profile),
      requester: name(matter.requester),
      actor: name(matter.actor),
      justification: prose(matter.justification),
      comment: prose(matter.comment),
      ticket: name(matter.ticket),
      reason_code: name(matter.reasonCode),
      status: matter.status,
      seconds: matter.seconds,
      ends_at: instant(matter.endsAt),
      drill: matter.isDrill ? true : undefined,
    },
    url: linkTo(matter, publicUrl),
  };
  return escapeUnseen(JSON.stringify(body));
}
