import * as v from 'valibot';
import { BreakGlass } from '../contract/break-glass-shapes.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { toStdout, type Output } from './command.ts';
import { jsonLine, printable } from './printable.ts';

type Json = Readonly<Record<string, unknown>>;

/** Who must still do what, and until when: `bob or carol must confirm it until 2026-…`. */
function describeNeeds({ needs }: BreakGlass): string {
  return needs
    .map(({ action, until, eligible }) => {
      const who = eligible.map((one) => printable(one)).join(' or ');
      return `; ${who === '' ? 'somebody' : who} must ${action} it until ${printable(until)}`;
    })
    .join('');
}

function describeState(event: BreakGlass): string {
  switch (event.status) {
    case 'active':
      return event.drill === true
        ? `is a drill until ${printable(event.expires_at)}, and vends nothing`
        : `is open until ${printable(event.expires_at)}`;
    case 'closed': {
      const by = event.closed_by === undefined ? '' : ` by ${printable(event.closed_by)}`;
      const last = event.credentials_end;
      const rest =
        last === undefined ? '' : ` (credentials from before may work until ${printable(last)})`;
      return `was closed${by}${rest}`;
    }
    case 'expired':
      return `has ended at ${printable(event.expires_at)}`;
  }
}

/** What has become of an event, as one sentence. */
function toSentenceOfEvent(event: BreakGlass): string {
  const reviewed =
    event.reviewed_by === undefined ? '' : `; ${printable(event.reviewed_by)} has reviewed it`;
  const name = `Break-glass event ${printable(event.event_id)} for profile`;
  const state = describeState(event);
  return `${name} ${printable(event.profile)} ${state}${describeNeeds(event)}${reviewed}.`;
}

/** What a command prints of one event: the sentence, or the TVM's own JSON. */
export function toEventOutput(json: Json, asJson: boolean): Result<Output, string> {
  const read = v.safeParse(BreakGlass, json);
  if (!read.success) return refuse('The TVM answered without a break-glass event; check --url.');
  return ok(toStdout(asJson ? jsonLine(json) : `${toSentenceOfEvent(read.output)}\n`));
}
