import type { Admission, Admitted } from '../actions/admit.ts';
import type { Authenticator } from '../identity/authenticator.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { headerValues, type WireHead, type WireRequest } from '../sigv4/request.ts';
import type { Arrival } from './arrival.ts';
import { readBody } from './body.ts';
import { toRateHeaders } from './rate-headers.ts';
import type { Refusal } from './refusals.ts';

/** A request whose sender is known and admitted. */
export type AuthenticRequest = Admitted & {
  readonly request: WireRequest;
  /** What every answer to this caller says of its rate. */
  readonly headers: Readonly<Record<string, string>> | undefined;
};

export type Authenticate = (arrival: Arrival) => Promise<Result<AuthenticRequest, Refusal>>;

type Options = {
  /** Tells which of the authenticators, fixed at start, a request is for. */
  readonly authenticatorFor: (head: WireHead) => Authenticator;
  readonly addressOf: (arrival: Arrival) => string | undefined;
  /** Values of Host that are served; undefined for any. */
  readonly hosts: readonly string[] | undefined;
  readonly admission: Admission;
};

/**
 * The longest Authorization header, in bytes: a session token and its signature are far shorter.
 */
const AUTHORIZATION_LIMIT = 16 * 1024;

/**
 * Reads a request and has it admitted: first every check that its head allows, which costs nothing,
 * then the body, then the proof.
 */
export function createAuthenticate({
  authenticatorFor,
  addressOf,
  hosts,
  admission,
}: Options): Authenticate {
  async function authenticate(arrival: Arrival): ReturnType<Authenticate> {
    const { head, incoming, requestId: httpRequestId, admit: takePlace } = arrival;
    const authenticator = authenticatorFor(head);
    const applicant = {
      head,
      httpRequestId,
      address: addressOf(arrival),
      claimedKey: () => authenticator.claimedKey(head),
      lifts: revocationToLift(head),
      takePlace,
    };
    // Refuse what the head alone shows to be bad.
    const short = checkAuthorization(head);
    if (!short.ok) return short;
    const proof = authenticator.begin(arrival);
    if (!proof.ok) return admission.turnAway(proof.refusal, applicant);
    const served = checkHost(head, hosts);
    if (!served.ok) return served;
    // Read the body, which the proof covers.
    const body = await readBody(incoming);
    if (!body.ok) return body;
    // Find out who sent it, and whether they are let in.
    const request = { ...head, body: body.value };
    const admitted = await admission.admit(proof.value, request, applicant);
    if (!admitted.ok) return admitted;
    const { rate } = admitted.value;
    return ok({
      ...admitted.value,
      request,
      headers: rate === undefined ? undefined : toRateHeaders(rate),
    });
  }

  return authenticate;
}

/**
 * The number of the revocation that a request would lift; undefined if it asks for something else.
 */
function revocationToLift({ method, path }: WireHead): number | undefined {
  const [, n] = /^\/revocations\/(\d{1,15})$/u.exec(path) ?? [];
  return method === 'DELETE' && n !== undefined ? Number(n) : undefined;
}

function withoutPort(host: string): string {
  return host.replace(/:\d+$/u, '');
}

/** How much of a Host that is not served is repeated, without control characters. */
const HOST_SHOWN = 100;

/** What was signed for another host is not for this server, whoever signed it. */
function checkHost(
  { headers }: WireHead,
  hosts: readonly string[] | undefined,
): Result<undefined, Refusal> {
  const [host = ''] = headerValues(headers, 'host').map((value) => value.toLowerCase());
  function isServed(listed: string): boolean {
    return listed.toLowerCase() === host || listed.toLowerCase() === withoutPort(host);
  }
  if (hosts === undefined || hosts.some(isServed)) return ok(undefined);
  const shown = host.slice(0, HOST_SHOWN).replaceAll(/[^\x20-\x7e]/gu, '?');
  return refuse({ kind: 'host-not-served', host: shown, served: hosts });
}

function checkAuthorization({ headers }: WireHead): Result<undefined, Refusal> {
  const isLong = headerValues(headers, 'authorization').some(
    (value) => value.length > AUTHORIZATION_LIMIT,
  );
  if (!isLong) return ok(undefined);
  return refuse({ kind: 'headers-too-large', part: 'authorization', limit: AUTHORIZATION_LIMIT });
}
