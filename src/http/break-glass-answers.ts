import type { BreakGlassRefusal } from '../actions/break-glass/refusal.ts';
import { formatInstant } from '../lib/clock.ts';
import {
  forbidden,
  RETRY_UNAVAILABLE,
  retryLater,
  validation,
  type RefusalAnswer,
} from './refusal-answer.ts';

/** The statuses and words of what is refused about break-glass. */

type Of<Kind> = Extract<BreakGlassRefusal, { readonly kind: Kind }>;

const RATE: Readonly<Record<Of<'event-rate'>['of'], string>> = {
  cooldown: 'you opened this profile so recently that its rule wants a pause first',
  'user-quota': 'you have opened profiles as often as its rule allows one person',
  'profile-quota': 'this profile has been opened as often as its rule allows',
};

const FULL: Readonly<Record<Of<'uses-full'>['of'], string>> = {
  person: 'You have as many uses of break-glass that are open or not reviewed as can be on record',
  profile:
    'This profile has as many uses of break-glass that are open or not reviewed as can be on record',
};

const WHY_NOT: Readonly<Record<Of<'not-for-event'>['why'], string>> = {
  own: 'nobody confirms or reviews what they opened themselves, under whatever identity',
  'not-named': 'the rule does not name you for that',
  'not-closer': 'only its invoker, and operators with the right to revoke, close it',
};

const STATE: Readonly<Record<Of<'event-state'>['why'], string>> = {
  'needs-no-confirmation': 'needs no second person',
  confirmed: 'is confirmed already',
  reviewed: 'is reviewed already',
  'not-over': 'is not over, so there may be more to review; close it first, or wait',
};

/** Seconds after which somebody may have reviewed or closed an event. */
const RETRY_REVIEWED = 60;

/** All kinds of refusals about break-glass; the compiler finds one that is missing. */
const KINDS: Readonly<Record<BreakGlassRefusal['kind'], true>> = {
  'no-emergency-needed': true,
  'reason-not-allowed': true,
  'not-at-this-time': true,
  'event-too-long': true,
  'event-rate': true,
  'uses-full': true,
  'event-unreviewed': true,
  'no-event': true,
  'not-for-event': true,
  'event-over': true,
  'event-state': true,
  'event-unrecorded': true,
};

/** Whether a refusal is about break-glass. */
export function isBreakGlassRefusal(refusal: {
  readonly kind: string;
}): refusal is BreakGlassRefusal {
  return Object.hasOwn(KINDS, refusal.kind);
}

/** The answer to a refusal about break-glass. */
export function toBreakGlassAnswer(refusal: BreakGlassRefusal): RefusalAnswer {
  switch (refusal.kind) {
    case 'no-emergency-needed':
      return conflict(`Profile ${refusal.profile} is open to you without break-glass; vend it.`, {
        status: 'not_needed',
      });
    case 'reason-not-allowed': {
      const message = `The field "reason_code" must be one of ${refusal.allowed.join(', ')} here.`;
      return { ...validation(400, message), details: { field: 'reason_code' } };
    }
    case 'not-at-this-time': {
      const message = `Rule "${refusal.rule}" opens this profile at certain times only, and this is none of them.`;
      return forbidden('PolicyDenied', message, { rule: refusal.rule });
    }
    case 'event-too-long': {
      const message = `The field "duration" must be at most ${refusal.longest} seconds here.`;
      return { ...validation(400, message), details: { field: 'duration' } };
    }
    case 'event-rate': {
      const { of, rule, retryAt, retryAfterSeconds } = refusal;
      const message = `Rule "${rule}": ${RATE[of]}; try again at ${formatInstant(retryAt)}.`;
      const answer = retryLater(429, 'QuotaExceeded', message, retryAfterSeconds);
      return { ...answer, details: { ...answer.details, rule } };
    }
    case 'uses-full':
      return retryLater(
        429,
        'QuotaExceeded',
        `${FULL[refusal.of]}; close or review some of them first.`,
        RETRY_REVIEWED,
      );
    case 'event-unreviewed':
    case 'no-event':
    case 'not-for-event':
    case 'event-over':
    case 'event-state':
    case 'event-unrecorded':
      return toEventAnswer(refusal);
  }
}

/** The answer to a refusal about one event. */
function toEventAnswer(
  refusal: Of<
    | 'event-unreviewed'
    | 'no-event'
    | 'not-for-event'
    | 'event-over'
    | 'event-state'
    | 'event-unrecorded'
  >,
): RefusalAnswer {
  const { id } = refusal;
  switch (refusal.kind) {
    case 'event-unreviewed': {
      const message = `Your break-glass event ${id} was to be reviewed by ${formatInstant(refusal.since)}; somebody whom its rule names must review it before you break the glass again.`;
      return conflict(message, { status: 'unreviewed', event_id: id });
    }
    case 'no-event':
      return forbidden(
        'NotPermitted',
        `There is no break-glass event ${id} that is yours to see.`,
        {},
      );
    case 'not-for-event':
      return forbidden('NotPermitted', `Break-glass event ${id}: ${WHY_NOT[refusal.why]}.`, {
        event_id: id,
      });
    case 'event-over': {
      const { status } = refusal;
      return conflict(`Break-glass event ${id} is ${status} already.`, { status, event_id: id });
    }
    case 'event-state': {
      const { status, why } = refusal;
      return conflict(`Break-glass event ${id} ${STATE[why]}.`, { status, event_id: id });
    }
    case 'event-unrecorded':
      return toUnrecorded(id);
  }
}

function toUnrecorded(id: string): RefusalAnswer {
  const message = `It was done with break-glass event ${id} and stands, but the audit log is not available just now and may lack its record; there is no need to send it again.`;
  const answer = retryLater(503, 'ServiceUnavailable', message, RETRY_UNAVAILABLE);
  return { ...answer, details: { ...answer.details, event_id: id } };
}

function conflict(message: string, details: NonNullable<RefusalAnswer['details']>): RefusalAnswer {
  return { status: 409, error: 'Conflict', message, details };
}
