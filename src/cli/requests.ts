import * as v from 'valibot';
import { AccessRequest } from '../contract/shapes.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { toStdout, type Output } from './command.ts';
import { jsonLine, printable, valueLine } from './printable.ts';

type Json = Readonly<Record<string, unknown>>;

type Needs = AccessRequest['needs'];

/** Reads a request out of an answer; refuses with a sentence. */
export function readRequest(json: unknown): Result<AccessRequest, string> {
  const read = v.safeParse(AccessRequest, json);
  return read.success
    ? ok(read.output)
    : refuse('The TVM answered without a request; check --url.');
}

/** Who can approve still: `bob or olivia (0 of 1)`; empty where nobody is needed. */
export function describeNeeds(needs: Needs): string {
  return needs
    .filter(({ have, need }) => have < need)
    .map(
      ({ eligible, have, need }) =>
        `${eligible.map((who) => printable(who)).join(' or ')} (${have} of ${need})`,
    )
    .join(', and ');
}

function describeApproved({
  phase,
  effective_end: end,
  duration,
  changed = [],
}: AccessRequest): string {
  switch (phase) {
    case 'stale':
      return `was approved, and does not vend, because ${printable(changed.join(', '))} changed since`;
    case 'suspended':
      return 'was approved, and does not vend while the document of people is broken';
    case 'ended':
      return 'was approved, and has ended';
    case 'active':
    case 'waiting':
      return end === undefined
        ? `is approved, for ${duration} s from its first vend on`
        : `is approved until ${printable(end)}`;
  }
}

function describeEnd({
  ended_by: by,
  ended_reason: why,
  credentials_end: last,
}: AccessRequest): string {
  const who = by === undefined ? '' : ` by ${printable(by)}`;
  const rest =
    last === undefined ? '' : ` (credentials from before may work until ${printable(last)})`;
  return why === undefined ? `${who}${rest}` : `${who}${rest}: ${printable(why)}`;
}

function describeState(request: AccessRequest): string {
  switch (request.status) {
    case 'pending': {
      if (request.phase === 'ended') return 'was ended before anybody decided it';
      const needs = describeNeeds(request.needs);
      const who = needs === '' ? '' : `; it needs ${needs}`;
      return `is pending until ${printable(request.expires_at)}${who}`;
    }
    case 'approved':
      return describeApproved(request);
    case 'denied':
      return `was denied${describeEnd(request)}`;
    case 'cancelled':
      return `was cancelled${describeEnd(request)}`;
    case 'expired':
      return `has expired, because it was not decided until ${printable(request.expires_at)}`;
  }
}

/** What has become of a request, as one sentence. */
export function toSentenceOf(request: AccessRequest): string {
  const words = `Request ${printable(request.request_id)} for profile ${printable(request.profile)} ${describeState(request)}`;
  return /[.!?]$/u.test(words) ? words : `${words}.`;
}

function flatten(name: string, value: unknown): readonly (readonly [string, unknown])[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[name, value]];
  return Object.entries(value).map(
    ([inner, of]) => [name === '' ? inner : `${name}.${inner}`, of] as const,
  );
}

/** All that an approval of a request allows, a line for each fact; nothing is cut. */
export function describeFacts({ facts, digest }: AccessRequest): string {
  const all = flatten('', facts).flatMap(([name, value]) => flatten(name, value));
  return [...all, ['digest', digest] as const]
    .map(([name, value]) => valueLine(name, value, Number.POSITIVE_INFINITY))
    .join('');
}

/** What a command prints of one request: the sentence, or the TVM's own JSON. */
export function toRequestOutput(json: Json, asJson: boolean): Result<Output, string> {
  const request = readRequest(json);
  if (!request.ok) return request;
  return ok(toStdout(asJson ? jsonLine(json) : `${toSentenceOf(request.value)}\n`));
}
