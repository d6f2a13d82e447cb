import { describe, expect, it } from 'vitest';
import {
  checkEvent,
  isInvokers,
  mayConfirm,
  mayReviewEvent,
  needsOf,
  type EventFacts,
} from '../../../src/actions/break-glass/check-event.ts';
import {
  closed,
  confirmed,
  expired,
  type BreakGlassEvent,
  type Party,
} from '../../../src/breakglass/event.ts';
import { createPeople } from '../../../src/policy/approval/person.ts';
import type { BreakGlassRule } from '../../../src/policy/documents/break-glass-policy.ts';
import { ALICE, BOB, eventOf, NOW, party, valueOf } from '../../breakglass/support.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const PEOPLE = createPeople([['key/alice', 'sso/alice']]);
const RULE: BreakGlassRule = {
  name: 'emergencies',
  users: ['alice'],
  review: { by: ['bob', 'alice'], within: 3_600 },
  second_person: { from: ['bob', 'alice', 'sso/alice'], within: 300 },
};

function facts(change: Partial<EventFacts> = {}): EventFacts {
  return {
    now: NOW + MINUTE,
    invoker: ALICE,
    profile: 'prod',
    invokerName: 'alice',
    rule: RULE,
    people: PEOPLE,
    approverNow: ({ name, principal }) => ({
      name: name.replace('key/', ''),
      principal,
      isBot: false,
    }),
    isGrantRevoked: () => false,
    wasRevokedAfter: () => false,
    ...change,
  };
}

function outcome(event: BreakGlassEvent, change: Partial<EventFacts> = {}) {
  const checked = checkEvent(event, facts(change));
  return checked.ok ? `until ${(checked.value.endsAt - NOW) / MINUTE}` : checked.refusal;
}

const CONFIRMED = valueOf(
  confirmed(eventOf({ confirmWithin: 300 }), { by: BOB, at: NOW + MINUTE, seen: 9 }),
);

describe('checkEvent', () => {
  it('lets the invoker vend what is left of the event', () => {
    expect(outcome(eventOf())).toBe('until 60');
    expect(outcome(eventOf(), { now: NOW + 50 * MINUTE })).toBe('until 60');
    expect(outcome(eventOf(), { now: NOW + HOUR - 1 })).toBe('until 60');
  });

  it.each<[string, BreakGlassEvent, Partial<EventFacts>, string]>([
    ['its end', eventOf(), { now: NOW + HOUR }, 'ended'],
    [
      'its end, also where nobody confirmed it',
      eventOf({ confirmWithin: 300 }),
      { now: NOW + HOUR },
      'ended',
    ],
    ['an expiry that was written', expired(eventOf(), NOW + HOUR) as BreakGlassEvent, {}, 'ended'],
    ['being closed', valueOf(closed(eventOf(), BOB, 'done', NOW)), {}, 'closed'],
    [
      'a revocation of it, whatever the row says',
      eventOf(),
      { isGrantRevoked: () => true },
      'closed',
    ],
    ['a drill', eventOf({ drill: true }), {}, 'drill'],
  ])('does not after %s', (_what, event, change, expected) => {
    expect(outcome(event, change)).toBe(expected);
  });

  it.each<[string, Partial<EventFacts>, string]>([
    ['somebody else', { invoker: BOB, invokerName: 'bob' }, 'another-invoker'],
    [
      'the same name of another subject',
      { invoker: { ...ALICE, subject: 'sentinel:key/A2' } },
      'another-invoker',
    ],
    ['a key with another secret', { invoker: { ...ALICE, uniqueId: 'other' } }, 'another-invoker'],
    ['another identity of the same person', { invoker: party('alice', 'sso') }, 'another-invoker'],
    ['another profile', { profile: 'dev' }, 'another-invoker'],
    ['an invoker who was revoked since', { wasRevokedAfter: () => true }, 'revoked'],
    ['no rule for the profile any more', { rule: undefined }, 'rule'],
    ['a rule without the invoker', { rule: { ...RULE, users: ['bob'] } }, 'rule'],
    [
      'a rule without the reason',
      { rule: { ...RULE, allowed_reason_codes: ['security'] } },
      'rule',
    ],
    ['a rule that wants a second factor', { rule: { ...RULE, mfa: { required: true } } }, 'rule'],
  ])('does not for %s', (_what, change, expected) => {
    expect(outcome(eventOf(), change)).toBe(expected);
  });

  it('asks whether the invoker was revoked after what was known at the opening', () => {
    const since: [string, number][] = [];
    outcome(eventOf(), { wasRevokedAfter: ({ name }, at) => (since.push([name, at]), false) });
    expect(since).toEqual([['key/alice', 7]]);
  });

  it('lasts on outside the window of time of the rule, which was for the opening', () => {
    const rule = { ...RULE, time: { hours: { start: '01:00', end: '02:00' } } };
    expect(outcome(eventOf(), { rule })).toBe('until 60');
  });

  it('ends earlier where the rule allows less by now', () => {
    expect(outcome(eventOf(), { rule: { ...RULE, max_duration: 600 } })).toBe('until 10');
    expect(outcome(eventOf(), { rule: { ...RULE, max_duration: 60 } })).toBe('ended');
  });

  it('ends with the time for a second person, unless one confirmed', () => {
    const waiting = eventOf({ confirmWithin: 300 });
    expect(outcome(waiting)).toBe('until 5');
    expect(outcome(waiting, { now: NOW + 5 * MINUTE })).toBe('unconfirmed');
    expect(outcome(CONFIRMED, { now: NOW + 5 * MINUTE })).toBe('until 60');
  });

  it.each<[string, Partial<EventFacts>, string]>([
    ['still', {}, 'until 60'],
    [
      'when the rule asks for nobody any more',
      { rule: { ...RULE, second_person: undefined } as never },
      'until 60',
    ],
    [
      'not by one whom the rule does not name',
      { rule: { ...RULE, second_person: { from: ['x'], within: 1 } } },
      'no',
    ],
    ['not by one who is nobody any more', { approverNow: () => undefined }, 'no'],
    [
      'not by a bot',
      { approverNow: () => ({ name: 'bob', principal: BOB.principal, isBot: true }) },
      'no',
    ],
    ['not by one revoked since', { wasRevokedAfter: (who: Party) => who.name === 'key/bob' }, 'no'],
    ['not by the invoker’s person', { people: createPeople([['key/alice', 'key/bob']]) }, 'no'],
  ])('counts a confirmation %s', (_what, change, expected) => {
    const late = { now: NOW + 10 * MINUTE, ...change };
    expect(outcome(CONFIRMED, late)).toBe(expected === 'no' ? 'unconfirmed' : expected);
  });
});

describe('mayConfirm and mayReviewEvent', () => {
  function other(who: Party, name: string) {
    return {
      party: who,
      approver: { name, principal: who.principal, isBot: false },
      people: PEOPLE,
    };
  }

  it('let others whom the rule names, and never the invoker’s person', () => {
    for (const may of [mayConfirm, mayReviewEvent]) {
      expect(may(eventOf(), RULE, other(BOB, 'bob'))).toBe(true);
      expect(may(eventOf(), RULE, other(ALICE, 'alice'))).toBe(false);
      expect(may(eventOf(), RULE, other(party('alice', 'sso'), 'sso/alice'))).toBe(false);
      expect(may(eventOf(), RULE, other(party('carol'), 'carol'))).toBe(false);
      expect(may(eventOf(), undefined, other(BOB, 'bob'))).toBe(false);
    }
  });
});

describe('isInvokers', () => {
  it('takes every identity of the invoker', () => {
    expect(isInvokers(eventOf(), { party: party('alice', 'sso'), people: PEOPLE })).toBe(true);
    expect(isInvokers(eventOf(), { party: BOB, people: PEOPLE })).toBe(false);
  });
});

describe('needsOf', () => {
  it('says who else is wanted, and until when', () => {
    const event = eventOf({ confirmWithin: 300, reviewWithin: 3_600 });
    const reviewBy = NOW + 2 * HOUR;
    expect(needsOf(event, NOW)).toEqual({ confirmBy: NOW + 5 * MINUTE, reviewBy });
    expect(needsOf(event, NOW + 5 * MINUTE)).toEqual({ confirmBy: undefined, reviewBy });
    expect(needsOf(CONFIRMED, NOW)).toEqual({ confirmBy: undefined, reviewBy: undefined });
  });
});
