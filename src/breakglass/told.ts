import type { Event } from '../notify/event.ts';
import { endOf, type BreakGlassEvent, type Told } from './event.ts';

/** What the latest writing of an event tells, by its latest fact. */
export function toldBy(event: BreakGlassEvent): Told {
  const { version, updatedAt: at, invoker, confirmed, closed, reviewed } = event;
  function told(type: Told['type'], by?: { readonly name: string }, comment?: string): Told {
    return { version, type, at, actor: by?.name, comment };
  }
  if (version === 1) return told('invoked', invoker);
  if (reviewed?.at === at) return told('reviewed', reviewed.by, reviewed.comment);
  if (closed?.at === at) return told('closed', closed.by, closed.reason);
  return confirmed?.at === at ? told('confirmed', confirmed.by) : told('expired');
}

/** An event as it was read, with all that is not sent yet. */
export function withUntold(event: BreakGlassEvent, isPending: boolean): BreakGlassEvent {
  return { ...event, untold: isPending ? [...event.untold, toldBy(event)] : [] };
}

/**
 * What receivers are sent of one writing of an event. All but that writing's own facts is as the
 * event has it now.
 */
export function toNotice(
  event: BreakGlassEvent,
  { version, type, at, actor, comment }: Told,
): Event {
  const { id, profile, invoker, justification, ticket, reasonCode, status, seconds, drill } = event;
  return {
    version,
    type: `breakglass.${type}`,
    at,
    matter: {
      kind: 'break_glass',
      id,
      profile,
      requester: invoker.name,
      actor,
      justification,
      comment,
      ticket,
      reasonCode,
      status,
      seconds,
      endsAt: endOf(event),
      isDrill: drill,
    },
  };
}
