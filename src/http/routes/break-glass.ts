import type { ChangeEvent } from '../../actions/break-glass/change-event.ts';
import type { EventLists } from '../../actions/break-glass/list-events.ts';
import type { OpenEvent } from '../../actions/break-glass/open-event.ts';
import type { ShownEvent } from '../../actions/break-glass/shown-event.ts';
import type { OperationRefusal } from '../../actions/operator.ts';
import type { BreakGlass } from '../../contract/break-glass-shapes.ts';
import { NEXT_TOKEN, REASON_CODES } from '../../contract/fields.ts';
import { ROUTES } from '../../contract/routes.ts';
import { formatInstant } from '../../lib/clock.ts';
import { toShownName, type NamedKind } from '../../lib/names.ts';
import { ok, type Result } from '../../lib/result.ts';
import { toOperator, type Authentic, type Outcome } from '../endpoint.ts';
import { readId, readQuery } from '../fields.ts';
import { readBody } from '../json-body.ts';

/** What the endpoints of break-glass need. */
export type BreakGlassDependencies = EventLists & {
  readonly openEvent: OpenEvent;
  readonly events: ChangeEvent;
  readonly bareNames: NamedKind;
};

function instantOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : formatInstant(ms);
}

/** An event as it is shown, with names as documents have them. */
function toBody(
  { event, status, endsAt, needs, credentialsEnd }: ShownEvent,
  bareNames: NamedKind,
): BreakGlass {
  const { confirmed, closed, reviewed } = event;
  function nameOf(
    word: { readonly by: { readonly name: string } } | undefined,
  ): string | undefined {
    return word === undefined ? undefined : toShownName(word.by.name, bareNames);
  }
  return {
    event_id: event.id,
    status,
    invoker: toShownName(event.invoker.name, bareNames),
    profile: event.profile,
    reason_code: REASON_CODES.find((code) => code === event.reasonCode) ?? 'other',
    justification: event.justification,
    ticket: event.ticket,
    drill: event.drill ? true : undefined,
    escalated: event.escalated ? true : undefined,
    duration: event.seconds,
    rule: event.rule,
    created_at: formatInstant(event.openedAt),
    expires_at: formatInstant(endsAt),
    needs: needs.map(({ action, until, eligible }) => ({
      action,
      until: formatInstant(until),
      eligible: [...eligible],
    })),
    confirmed_by: nameOf(confirmed),
    confirmed_at: instantOf(confirmed?.at),
    closed_by: nameOf(closed),
    closed_at: instantOf(closed?.at),
    closed_reason: closed?.reason,
    credentials_end: instantOf(credentialsEnd),
    reviewed_by: nameOf(reviewed),
    reviewed_at: instantOf(reviewed?.at),
    review_comment: reviewed?.comment,
  };
}

/**
 * `/break-glass`: opening a profile in an emergency, looking at such events, confirming, closing
 * and reviewing them.
 */
export function createBreakGlassEndpoints(dependencies: BreakGlassDependencies) {
  const { events, bareNames } = dependencies;

  function answer(result: Result<ShownEvent, OperationRefusal>) {
    return result.ok ? ok(toBody(result.value, bareNames)) : result;
  }

  /** `POST /break-glass`: opens a profile, or exercises it. */
  async function openEvent(authentic: Authentic): Promise<Outcome<'openEvent'>> {
    const wish = readBody(authentic.request, ROUTES.openEvent);
    if (!wish.ok) return wish;
    const {
      profile,
      reason_code: reasonCode,
      justification,
      duration: seconds,
      ticket,
      drill = false,
    } = wish.value;
    const asked = { profile, reasonCode, justification, seconds, ticket, drill };
    return answer(await dependencies.openEvent(toOperator(authentic), asked));
  }

  /** `GET /break-glass`: a page of a view. */
  async function listEvents(authentic: Authentic): Promise<Outcome<'listEvents'>> {
    const given = readQuery(authentic.request, ROUTES.listEvents.query);
    if (!given.ok) return given;
    const { view = 'mine', status, profile, [NEXT_TOKEN]: token } = given.value;
    const page = await dependencies.listEvents(
      toOperator(authentic),
      { view, status, profile },
      token,
    );
    if (!page.ok) return page;
    const { events: shown, next } = page.value;
    return ok({ events: shown.map((one) => toBody(one, bareNames)), next_token: next });
  }

  /** `GET /break-glass/{id}`. */
  async function showEvent(authentic: Authentic): Promise<Outcome<'showEvent'>> {
    const query = readQuery(authentic.request, ROUTES.showEvent.query);
    if (!query.ok) return query;
    const id = readId(authentic.request, ROUTES.showEvent);
    return id.ok ? answer(await dependencies.showEvent(toOperator(authentic), id.value)) : id;
  }

  /** `POST /break-glass/{id}/confirm`. */
  async function confirmEvent(authentic: Authentic): Promise<Outcome<'confirmEvent'>> {
    const id = readId(authentic.request, ROUTES.confirmEvent);
    if (!id.ok) return id;
    const given = readBody(authentic.request, ROUTES.confirmEvent);
    if (!given.ok) return given;
    return answer(await events.confirm(toOperator(authentic), id.value, given.value.comment));
  }

  /** `POST /break-glass/{id}/close`. */
  async function closeEvent(authentic: Authentic): Promise<Outcome<'closeEvent'>> {
    const id = readId(authentic.request, ROUTES.closeEvent);
    if (!id.ok) return id;
    const given = readBody(authentic.request, ROUTES.closeEvent);
    return given.ok
      ? answer(await events.close(toOperator(authentic), id.value, given.value.reason))
      : given;
  }

  /** `POST /break-glass/{id}/review`. */
  async function reviewEvent(authentic: Authentic): Promise<Outcome<'reviewEvent'>> {
    const id = readId(authentic.request, ROUTES.reviewEvent);
    if (!id.ok) return id;
    const given = readBody(authentic.request, ROUTES.reviewEvent);
    return given.ok
      ? answer(await events.review(toOperator(authentic), id.value, given.value.comment))
      : given;
  }

  return { openEvent, listEvents, showEvent, confirmEvent, closeEvent, reviewEvent };
}
